-- Each outcome over a connection of its own, as Sendmail's library sees it.
-- miltertest -D socket=inet:PORT@127.0.0.1 -D script=outcomes.lua -s run.lua

-- A whole message that asks for `what`; the connection, after the end of the message.
local function message(what)
    local conn = mt.connect(socket, 20, 0.1)
    assert(conn ~= nil, "no connection")
    assert(mt.conninfo(conn, "client.example", "192.0.2.1") == nil)
    assert(mt.helo(conn, "laptop") == nil)
    mt.macro(conn, SMFIC_MAIL, "i", "4QUEUEID", "{auth_authen}", "alice")
    assert(mt.mailfrom(conn, "<alice@example.org>", "BODY=8BITMIME") == nil)
    assert(mt.rcptto(conn, "<bob@example.net>", "NOTIFY=NEVER") == nil)
    assert(mt.rcptto(conn, "<carol@example.net>") == nil)
    assert(mt.header(conn, "From", " Alice <alice@example.org>") == nil)
    assert(mt.header(conn, "Subject", " plain") == nil)
    assert(mt.header(conn, "X-Gone", " here") == nil)
    assert(mt.header(conn, "X-Do", " " .. what) == nil)
    pcall(mt.eoh, conn) -- an error where the step is left out
    assert(mt.bodystring(conn, "Hello, world.\r\n") == nil)
    assert(mt.eom(conn) == nil)
    return conn
end

local function expect(what, reply, checks)
    local conn = message(what)
    assert(mt.getreply(conn) == reply, what .. ": " .. string.char(mt.getreply(conn)))
    for _, check in ipairs(checks) do
        local holds = table.remove(check, 1)
        assert(mt.eom_check(conn, (table.unpack or unpack)(check)) == holds, what)
    end
    mt.disconnect(conn)
end

expect("nothing", SMFIR_ACCEPT, {
    { false, MT_HDRADD }, { false, MT_HDRINSERT }, { false, MT_HDRCHANGE },
    { false, MT_HDRDELETE }, { false, MT_BODYCHANGE },
})
expect("edit", SMFIR_ACCEPT, {
    { true, MT_HDRINSERT, "X-New", " on top", 0 }, { true, MT_HDRCHANGE, "Subject", " changed" },
    { true, MT_HDRDELETE, "X-Gone" }, { false, MT_HDRCHANGE, "From" },
    { false, MT_BODYCHANGE },
})
-- Not "sign": miltertest overflows its buffer over a response of more than a kilobyte.
expect("encrypt", SMFIR_ACCEPT, {
    { true, MT_BODYCHANGE }, { true, MT_RCPTDELETE, "<bob@example.net>" },
})
-- The words of replies name the message, which MT_SMTPREPLY cannot compare; the tests in Rust do.
expect("reject", SMFIR_REPLYCODE, {})
expect("defer", SMFIR_REPLYCODE, {})
expect("quarantine", SMFIR_ACCEPT, { { true, MT_QUARANTINE, "look at it" } })
expect("quarantine-secret", SMFIR_REPLYCODE, { { false, MT_QUARANTINE } })
expect("discard", SMFIR_DISCARD, {})
expect("refuse", SMFIR_REPLYCODE, {})
