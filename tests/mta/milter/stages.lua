-- Each stage × abort, a polite and an abrupt end; then messages on the same connection.
-- miltertest -D socket=inet:PORT@127.0.0.1 -D script=stages.lua -s run.lua

local stages = { "connect", "helo", "mail", "rcpt", "data", "header", "eoh", "body", "eom" }

local steps = {
    connect = function(conn) return mt.conninfo(conn, "client.example", "2001:db8::1") end,
    helo = function(conn) return mt.helo(conn, "laptop") end,
    mail = function(conn) return mt.mailfrom(conn, "<alice@example.org>") end,
    rcpt = function(conn) return mt.rcptto(conn, "<bob@example.net>") end,
    -- Errors where these steps are left out.
    data = function(conn) pcall(mt.data, conn) end,
    header = function(conn, what) return mt.header(conn, "X-Do", " " .. what) end,
    eoh = function(conn) pcall(mt.eoh, conn) end,
    body = function(conn) return mt.bodystring(conn, "Hello.\r\n") end,
    eom = function(conn) return mt.eom(conn) end,
}

local function connect()
    local conn = mt.connect(socket, 20, 0.1)
    assert(conn ~= nil, "no connection")
    return conn
end

-- The stages from `first` to `last`.
local function go(conn, first, last, what)
    local on = false
    for _, stage in ipairs(stages) do
        on = on or stage == first
        if on then
            local problem = steps[stage](conn, what)
            assert(problem == nil, stage .. ": " .. tostring(problem))
        end
        if stage == last then return end
    end
end

for _, stage in ipairs(stages) do
    -- What is aborted asks for a refusal, which must not come to the next message.
    local conn = connect()
    go(conn, "connect", stage, "reject")
    mt.abort(conn)
    if stage == "connect" then go(conn, "helo", "helo") end
    go(conn, "mail", "eom", "edit")
    assert(mt.getreply(conn) == SMFIR_ACCEPT, stage)
    assert(mt.eom_check(conn, MT_HDRINSERT, "X-New"), stage)
    mt.disconnect(conn)

    for _, polite in ipairs({ true, false }) do
        conn = connect()
        go(conn, "connect", stage, "reject")
        mt.disconnect(conn, polite)
    end
end

-- Several messages, one after the other.
local conn = connect()
go(conn, "connect", "helo")
for _, expected in ipairs({
    { "discard", SMFIR_DISCARD }, { "nothing", SMFIR_ACCEPT }, { "reject", SMFIR_REPLYCODE },
    { "nothing", SMFIR_ACCEPT }, { "defer", SMFIR_REPLYCODE }, { "edit", SMFIR_ACCEPT },
}) do
    go(conn, "mail", "eom", expected[1])
    assert(mt.getreply(conn) == expected[2], expected[1])
end
mt.disconnect(conn)
