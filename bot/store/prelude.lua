-- What the functions of scripts.lua share. `a`, K and the words they return are explained there.

local a = cmsgpack.unpack(ARGV[1])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000) + a.shift
local function ms(n) return string.format('%.0f', n) end
local function push(list, one, two) list[#list + 1] = one; list[#list + 1] = two end

-- A lease that ran out still fences until somebody takes over: taking over raises the epoch.
local function is_owner()
  local l = redis.call('HMGET', K.lease, 'owner', 'epoch')
  return l[1] == a.owner and tonumber(l[2]) == a.epoch
end

-- What a function sets in a run or in its shard's chain is one write for each, when the function is over: every command
-- costs, here and in the server's file. Nothing may read such a field again in between but from a look.
local to_set = {}
local function set(key, fields)
  to_set[key] = to_set[key] or {}
  for field, value in pairs(fields) do to_set[key][field] = value end
end

-- A run as it stood before this function. A look costs one command however much it reads: look once, hand it on.
local function look()
  local r = redis.call('HMGET', K.run, 'n', 'op', 'status', 'trail', 'mail')
  return { key = K.run, count = tonumber(r[1]), op = r[2], status = r[3], trail = r[4], mail = tonumber(r[5] or 0) }
end

-- The last line of the audit, and how often a row of the outbox was marked.
local chain
local function look_at_chain()
  if chain then return chain end
  local head = redis.call('HMGET', K.chain, 'seq', 'link', 'out')
  chain = { seq = tonumber(head[1] or 0), link = head[2] or string.rep('0', 40), out = tonumber(head[3] or 0) }
  return chain
end

-- Where *run* is given, it finds its own lines again: their numbers are its trail.
local function audit(bodies, run)
  if not bodies or #bodies == 0 then return end
  local last, lines = look_at_chain(), {}
  local first = last.seq + 1
  for i, body in ipairs(bodies) do
    last.seq = last.seq + 1
    local rest = ms(last.seq) .. ' ' .. ms(now)
    last.link = redis.sha1hex(last.link .. ' ' .. rest .. ' ' .. body)
    lines[i] = rest .. ' ' .. last.link .. ' ' .. body
  end
  redis.call('RPUSH', K.audit, unpack(lines))
  set(K.chain, { seq = ms(last.seq), link = last.link })
  if run and run.status then
    local part = ms(first) .. (last.seq > first and '-' .. ms(last.seq) or '')
    set(run.key, { trail = run.trail and run.trail .. ',' .. part or part })
  end
end

-- The doorbell rings once, when the function is over: for a run with its mail count, or just "look".
local rung = {}
local function ring(text) rung.bell, rung.text = K.bell, text end

local function mark(rows)
  if not rows or #rows == 0 then return end
  local last, scored = look_at_chain(), {}
  for i, row in ipairs(rows) do push(scored, last.out + i, row) end
  last.out = last.out + #rows
  set(K.chain, { out = ms(last.out) })
  redis.call('ZADD', K.outbox, unpack(scored))
  ring(rung.text or '')
end

local function effects(e, run)
  audit(e.audit, run)
  for _, note in ipairs(e.notes or {}) do redis.call('HSET', K.notes, note[1], note[2]) end
  for _, timer in ipairs(e.timers or {}) do redis.call('ZADD', K.timers, timer[2], timer[1]) end
  if e.untime and #e.untime > 0 then redis.call('ZREM', K.timers, unpack(e.untime)) end
  mark(e.dirty)
end

local function is_live(status) return status == 'active' or status == 'waiting' or status == 'stopping' end

-- Nobody reads the mail of a run that has ended.
local function deliver_mail(run_id, run)
  if not is_live(run.status) then return 0 end
  run.mail = run.mail + 1
  set(run.key, { mail = ms(run.mail) })
  redis.call('ZADD', K.mail, 'NX', now, run_id)
  ring(run_id .. ' ' .. ms(run.mail))
  return run.mail
end

-- The owner's side of a run: count and op make the same write count once.
local function is_repeat(run) return run.op == a.op and run.count == a.count + #a.entries end

local function write_journal(run)
  set(run.key, { n = ms(a.count + #a.entries), op = a.op, status = a.status, line = a.line, doc = a.doc })
  if a.told then set(run.key, { told = ms(a.told) }) end
  if a.status == 'active' then redis.call('SADD', K.active, a.run) end
  if a.status == 'waiting' then redis.call('SREM', K.active, a.run) end
  if a.seen and a.seen >= run.mail then redis.call('ZREM', K.mail, a.run) end
  if #a.entries == 0 then return redis.call('LLEN', K.journal) end
  return redis.call('RPUSH', K.journal, unpack(a.entries))
end

-- Tokens, steps and money of a day, in the step that spends them: a write that is repeated adds nothing.
local function count_spent(s)
  local names, sums, is_new = {}, {}, false
  for i, one in ipairs(s.add) do names[i] = one[1] end
  for i, before in ipairs(redis.call('HMGET', K.spent, unpack(names))) do
    is_new = is_new or not before
    push(sums, names[i], ms(tonumber(before or 0) + s.add[i][2]))
  end
  redis.call('HSET', K.spent, unpack(sums))
  if is_new then redis.call('EXPIRE', K.spent, s.keep) end
end

-- *dates* are the fields beside the record that this step sets.
local function put_request(key, id, r, dates)
  local fields = { 'doc', r.doc, 'status', r.status, 'v', r.v, 'due', r.due or '' }
  for _, copy in ipairs(r.copies or {}) do push(fields, 'c:' .. copy[1], copy[2]) end
  for name, value in pairs(dates or {}) do push(fields, name, ms(value)) end
  redis.call('HSET', key, unpack(fields))
  if r.status == 'open' then
    if redis.call('ZADD', K.open, 'NX', now, id) == 1 then
      redis.call('HINCRBY', K.asking, r.by, 1)
      for _, channel in ipairs(r.where) do redis.call('HINCRBY', K.placed, channel, 1) end
      if r.call ~= '' then redis.call('HSETNX', K.calls, r.call, id) end
    end
    if not r.outlives then set(K.run, { ['q:' .. id] = '1' }) end -- else its run neither waits nor closes it
  elseif redis.call('ZREM', K.open, id) == 1 then -- else it was over before
    if redis.call('HINCRBY', K.asking, r.by, -1) <= 0 then redis.call('HDEL', K.asking, r.by) end
    for _, channel in ipairs(r.where) do
      if redis.call('HINCRBY', K.placed, channel, -1) <= 0 then redis.call('HDEL', K.placed, channel) end
    end
    if r.call ~= '' and redis.call('HGET', K.calls, r.call) == id then redis.call('HDEL', K.calls, r.call) end
    redis.call('HDEL', K.run, 'q:' .. id)
  end
end

-- *rows*, and before them one for every message that shows the request of *key*; an editor's form is none.
local function with_shown(key, shows, rows)
  local all = {}
  for _, field in ipairs(redis.call('HKEYS', key)) do
    local copy = string.match(field, '^c:(.+)')
    if copy and copy ~= shows.form then all[#all + 1] = shows.before .. copy .. shows.after end
  end
  if shows.sheet then all[#all + 1] = shows.sheet end
  for _, row in ipairs(rows) do all[#all + 1] = row end
  return all
end

-- The sealed record, and beside it what a use is judged by. `ends` stands still while people only use or revoke.
local function put_grant(g)
  redis.call('HSET', K.grant, 'doc', g.doc, 'v', g.v, 'used', g.used, 'most', g.most, 'ends', g.ends, 'over', g.over)
end

-- Judged by the server's clock and by the very revision the caller looked at: two for the last use, and one has it.
local function may_use(g)
  local was = redis.call('HMGET', K.grant, 'v', 'used', 'most', 'ends', 'over')
  if not was[1] or tonumber(was[1]) ~= tonumber(g.v) - 1 or tonumber(was[2]) ~= tonumber(g.used) - 1 then return false end
  return was[5] == '' and tonumber(was[2]) < tonumber(was[3]) and now < tonumber(was[4])
end

-- How many open requests a channel shows.
local function placed_in(channel) return channel and tonumber(redis.call('HGET', K.placed, channel) or '0') or 0 end

-- The open request that asks for exactly the same; nothing if there is none, or if it may be asked twice.
local function twin_of(r)
  local twin = r.call ~= '' and redis.call('HGET', K.calls, r.call)
  return twin ~= r.id and twin or nil
end

-- What stands on other shards, as the caller read it just before; nothing where it did not look (crowding.py).
local elsewhere = a.elsewhere or { asking = 0, placed = 0 }

-- How many letters its run had when a request was put to people, if any: what is older than a takeover begins nothing
-- after it.
local function heard(letters) return { heard = letters > 0 and letters or nil } end

-- A reply that nobody has taken in yet comes before a new question and before the end.
local function is_unheard() return a.known and redis.call('LLEN', K.inbox) > a.known end

-- The last thing every function does.
local function over(answer)
  for key, fields in pairs(to_set) do
    local all = {}
    for field, value in pairs(fields) do push(all, field, value) end
    redis.call('HSET', key, unpack(all))
  end
  if rung.bell then redis.call('PUBLISH', rung.bell, rung.text) end
  return answer
end
