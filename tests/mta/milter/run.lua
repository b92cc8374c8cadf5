-- Runs the script named by `-D script=…` and says how it ended, which miltertest itself does not.
local ended, why = pcall(assert(loadfile(script)))
mt.echo(ended and "done" or tostring(why))
