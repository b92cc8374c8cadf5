-- What is negotiated with MTAs of several ages, and what they get for it.
-- miltertest -D socket=inet:PORT@127.0.0.1 -D script=negotiation.lua -s run.lua

local function connect(version, actions, steps)
    local conn = mt.connect(socket, 20, 0.1)
    assert(conn ~= nil, "no connection")
    -- In this order, whatever its manual says.
    assert(mt.negotiate(conn, version, steps, actions) == nil)
    return conn
end

-- All that the newest MTA has.
local conn = connect(nil, nil, nil)
for _, action in ipairs({
    SMFIF_ADDHDRS, SMFIF_CHGBODY, SMFIF_ADDRCPT, SMFIF_DELRCPT, SMFIF_CHGHDRS, SMFIF_QUARANTINE,
    SMFIF_CHGFROM,
}) do
    assert(mt.test_action(conn, action))
end
for _, option in ipairs({
    SMFIP_NOUNKNOWN, SMFIP_NODATA, SMFIP_NOEOH, SMFIP_NR_CONN, SMFIP_NR_HELO, SMFIP_NR_MAIL,
    SMFIP_NR_RCPT, SMFIP_NR_HDR, SMFIP_NR_BODY, SMFIP_HDR_LEADSPC,
}) do
    assert(mt.test_option(conn, option))
end
for _, option in ipairs({
    SMFIP_NOCONNECT, SMFIP_NOHELO, SMFIP_NOMAIL, SMFIP_NORCPT, SMFIP_NOHDRS, SMFIP_NOBODY,
    SMFIP_RCPT_REJ,
}) do
    assert(not mt.test_option(conn, option))
end
mt.disconnect(conn)

local function edit(conn)
    assert(mt.conninfo(conn, "client.example", "192.0.2.1") == nil)
    assert(mt.mailfrom(conn, "<alice@example.org>") == nil)
    assert(mt.rcptto(conn, "<bob@example.net>") == nil)
    assert(mt.header(conn, "X-Do", "edit") == nil)
    assert(mt.bodystring(conn, "Hello.\r\n") == nil)
    assert(mt.eom(conn) == nil)
end

-- One without spaces, silences and quarantine: what it gets has no leading space.
conn = connect(2, SMFIF_ADDHDRS + SMFIF_CHGHDRS + SMFIF_CHGBODY, 0)
assert(not mt.test_action(conn, SMFIF_QUARANTINE))
assert(not mt.test_option(conn, SMFIP_HDR_LEADSPC))
edit(conn)
assert(mt.getreply(conn) == SMFIR_ACCEPT)
assert(mt.eom_check(conn, MT_HDRINSERT, "X-New", "on top", 0))
mt.disconnect(conn)

-- One that lets nothing be changed: the message waits.
conn = connect(6, 0, 0)
edit(conn)
assert(mt.getreply(conn) == SMFIR_REPLYCODE)
mt.disconnect(conn)
