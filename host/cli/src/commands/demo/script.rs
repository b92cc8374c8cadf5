//! The `openssl` commands that check the copies, as a script and as lines to read.

use waxseal_engine::LayerMade;

use crate::commands::demo::Done;
use crate::commands::run::copies;

/// One copy's check: the commands take its layers off, the outermost first.
struct Check {
    file: String,
    commands: Vec<String>,
}

fn checks(done: &[Done], dir: &str) -> Vec<Check> {
    let mut checks = Vec::new();
    for each in done {
        for (index, copy) in copies::of(&each.outcome).iter().enumerate() {
            let file = format!("out/{}/copy-{}.eml", each.sample.stem(), index + 1);
            let recipient = copy
                .recipients
                .first()
                .map(|first| first.address.to_string());
            let recipient = recipient.unwrap_or_default();
            let commands = copy.layers.iter().enumerate().map(|(depth, layer)| {
                let input = if depth == 0 {
                    format!(" -in {dir}/{file}")
                } else {
                    String::new()
                };
                match layer {
                    LayerMade::Signed => {
                        format!("openssl cms -verify{input} -CAfile {dir}/ca/ca.pem")
                    }
                    LayerMade::Encrypted => {
                        format!("openssl cms -decrypt{input} -recip {dir}/keys/{recipient}.pem")
                    }
                }
            });
            checks.push(Check {
                commands: commands.collect(),
                file,
            });
        }
    }
    checks.retain(|check| !check.commands.is_empty());
    checks
}

/// The lines to read and paste.
pub(super) fn shown(done: &[Done], dir: &str) -> String {
    let line = |check: Check| format!("  {}\n", check.commands.join(" | "));
    checks(done, dir).into_iter().map(line).collect()
}

/// A script that runs all of them and says `ok` or `FAILED` for each.
pub(super) fn text(done: &[Done]) -> String {
    let mut text = String::from(
        "#!/bin/sh\n# Checks what `waxseal demo` made, with openssl. Exits 1 when anything is wrong.\n\
         cd \"$(dirname \"$0\")\" || exit 1\nmkdir -p opened\nfailed=0\n",
    );
    for check in checks(done, ".") {
        let opened = check
            .file
            .replace("out/", "opened/")
            .replace("/copy-", "-copy-");
        // Each layer into a file of its own: a pipe would hide a failure before its end.
        let steps = check.commands.iter().enumerate().map(|(depth, command)| {
            let input = if depth == 0 {
                String::new()
            } else {
                format!(" -in {opened}.{depth}")
            };
            format!("{command}{input} -out {opened}.{}", depth + 1)
        });
        let steps = steps.collect::<Vec<_>>().join(" 2>>opened/log && \\\n    ");
        let last = check.commands.len();
        text += &format!(
            "if {steps} 2>>opened/log\nthen mv {opened}.{last} {opened}; echo \"ok      {file}\"\n\
             else failed=1; echo \"FAILED  {file}\"; fi\n",
            file = check.file
        );
    }
    text + "rm -f opened/*.[0-9]\nexit $failed\n"
}
