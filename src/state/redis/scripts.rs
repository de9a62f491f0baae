//! What the store does within the server, each in one script and thus at one moment.
//!
//! The log is a stream. An entry's id is `generation-number`: the generation is chosen at random when the stream is
//! made, so that a stream which was evicted, flushed or lost and made again is known for another one; the number grows
//! by a random step, and each entry names the number of the one before. So a reader who holds a position knows whether
//! everything behind it is there: the first entry names his own, each further one its predecessor, the last is the end of
//! the stream. Entries that were trimmed break the chain at its beginning, and entries that a server lost in a crash
//! break it where the new ones begin. No clock has a part in it.
//!
//! Where the memory is used up a server refuses what needs more, but not within a script that has already removed
//! something; so what is removed comes first. A server that refuses the entry nevertheless loses the log: whoever reads
//! it next finds none, knows that something may have been missed, and stores no row that was read before.

use std::sync::LazyLock;

use ::redis::Script;

/// `log_end`: generation and number of the last entry ever made, as text; nothing without a stream.
/// `log_make`: makes a stream, unless the server cannot write.
/// `log_add`: appends; the error when the server refuses.
/// `log_behind`: the end of the log and the entries behind a position, or no entries when there may have been others.
const LOG: &str = r"
local function log_end(key)
  if redis.call('EXISTS', key) == 0 then return nil end
  local info = redis.call('XINFO', 'STREAM', key)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return string.match(info[i + 1], '^(%d+)-(%d+)$') end
  end
end
local function sum(a, b) return string.format('%.0f', tonumber(a) + tonumber(b)) end
local function log_make(key, generation, number)
  local made = redis.pcall('XADD', key, generation .. '-' .. number, 'prev', '0', 'kind', 'begin')
  if type(made) ~= 'table' or not made.err then return generation, number end
  local why = made.err
  if string.find(why, 'OOM') or string.find(why, 'READONLY') or string.find(why, 'MISCONF') then return '0', '0' end
  return nil, made
end
local function log_add(key, generation, step, kind, tenant)
  local g, n = log_end(key)
  if not g then g, n = generation, '0' end
  local id = g .. '-' .. sum(n, step)
  local made = redis.pcall('XADD', key, 'MAXLEN', '~', '10000', id, 'prev', n, 'kind', kind, 'tenant', tenant)
  if type(made) == 'table' and made.err then return made end
end
local function log_behind(key, generation, number)
  local g, n = log_end(key)
  if g ~= generation then return g, n, nil end
  if n == number then return g, n, {} end
  local list, before = {}, number
  for _, entry in ipairs(redis.call('XRANGE', key, g .. '-' .. sum(number, 1), '+')) do
    local fields = entry[2]
    if fields[2] ~= before then return g, n, nil end
    before = string.match(entry[1], '-(%d+)$')
    list[#list + 1] = { fields[4], fields[6] or '' }
  end
  if before ~= n then return g, n, nil end
  return g, n, list
end
";

/// Appends entries and tells who listens, after the rows are gone. Where the log cannot be written it is removed.
const TELL: &str = r"
local function tell(key, channel, generation, step, kind, tenants)
  local failed
  for _, tenant in ipairs(tenants) do failed = failed or log_add(key, generation, step, kind, tenant) end
  local full = failed and string.find(failed.err, 'OOM')
  if full then redis.call('DEL', key) end
  local told = redis.call('PUBLISH', channel, kind)
  if failed and not full then return nil, failed end
  return told, full and 0 or 1
end
";

macro_rules! script {
    ($(#[$doc:meta])* $name:ident = $prelude:expr, $text:literal) => {
        $(#[$doc])*
        pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            let prelude: &[&str] = &$prelude;
            Script::new(&[prelude.concat().as_str(), $text].concat())
        });
    };
}

script! {
    /// Keys: format. Answers the format, which is written down where there is none.
    OPEN = [], r"
local format = redis.call('GET', KEYS[1])
if format then return format end
redis.pcall('SET', KEYS[1], ARGV[1])
return ARGV[1]
" }

script! {
    /// Keys: rows, log. Arguments: tenant, new generation, new number. Answers generation, number, row.
    READ = [LOG], r"
local g, n = log_end(KEYS[2])
if not g then g, n = log_make(KEYS[2], ARGV[2], ARGV[3]) end
if not g then return n end
return { g, n, redis.call('HGET', KEYS[1], ARGV[1]) }
" }

script! {
    /// Keys: rows. Arguments: tenants. Answers their rows.
    READ_MANY = [], r"
return redis.call('HMGET', KEYS[1], unpack(ARGV))
" }

script! {
    /// Keys: log. Arguments: new generation, new number. Answers generation, number.
    POSITION = [LOG], r"
local g, n = log_end(KEYS[1])
if not g then g, n = log_make(KEYS[1], ARGV[1], ARGV[2]) end
if not g then return n end
return { g, n }
" }

script! {
    /// Keys: rows, log. Arguments: generation, number, time to live of the last to expire in milliseconds, then tenants
    /// and rows by turns. Answers how many were stored.
    WRITE = [LOG], r"
local _, _, list = log_behind(KEYS[2], ARGV[1], ARGV[2])
if not list then return 0 end
local gone = {}
for _, entry in ipairs(list) do
  if entry[1] == 'tenant' then gone[entry[2]] = true elseif entry[1] ~= 'reset' then return 0 end
end
local stored = 0
for i = 4, #ARGV, 2 do
  if not gone[ARGV[i]] then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    stored = stored + 1
  end
end
if stored > 0 and redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return stored
" }

script! {
    /// Keys: rows, log. Arguments: channel, new generation, step, `tenant` or `all`, tenants. Answers how many listen,
    /// whether it is in the log, and whose rows went.
    INVALIDATE = [LOG, TELL], r"
local gone, tenants = {}, { '' }
if ARGV[4] == 'all' then
  gone = redis.call('HKEYS', KEYS[1])
  redis.call('DEL', KEYS[1])
else
  tenants = { select(5, unpack(ARGV)) }
  for _, tenant in ipairs(tenants) do
    if redis.call('HDEL', KEYS[1], tenant) == 1 then gone[#gone + 1] = tenant end
  end
end
local told, logged = tell(KEYS[2], ARGV[1], ARGV[2], ARGV[3], ARGV[4], tenants)
if not told then return logged end
return { told, logged, gone }
" }

script! {
    /// Keys: log, rows. Arguments: generation, number, new generation, new number. Answers generation, number, whether
    /// there is a gap, and kinds and tenants by turns. A log that ends before the reader's place was lost in a crash
    /// together with invalidations: the rows that came back with it are not to be believed.
    BEHIND = [LOG], r"
local g, n, list = log_behind(KEYS[1], ARGV[1], ARGV[2])
if list then
  local flat = {}
  for _, entry in ipairs(list) do
    flat[#flat + 1] = entry[1]
    flat[#flat + 1] = entry[2]
  end
  return { g, n, 0, flat }
end
if g and g == ARGV[1] and tonumber(n) < tonumber(ARGV[2]) then
  redis.pcall('DEL', KEYS[2])
  redis.pcall('DEL', KEYS[1])
  g = nil
end
if not g then g, n = log_make(KEYS[1], ARGV[3], ARGV[4]) end
if not g then return n end
return { g, n, 1, {} }
" }

script! {
    /// Keys: totals, instances. Arguments: id, number, epoch, new epoch, now in milliseconds, instance, instance without
    /// counts, then names of counts and what is added by turns. Answers the epoch. The time of the server is the sign
    /// of life: the instances' own clocks may differ. With its first report and now and then each instance forgets those that
    /// gave none for a day.
    REPORT = [], r"
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then
  epoch = ARGV[4]
  redis.call('HSET', KEYS[1], 'epoch', epoch)
end
local seen = tonumber(redis.call('TIME')[1])
local number, content = 'n:' .. ARGV[1], ARGV[7]
if ARGV[3] == '0' or ARGV[3] == epoch then
  content = ARGV[6]
  if tonumber(ARGV[2]) > tonumber(redis.call('HGET', KEYS[1], number) or '0') then
    redis.call('HSETNX', KEYS[1], 'since', ARGV[5])
    for i = 8, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
    redis.call('HSET', KEYS[1], number, ARGV[2])
  end
end
redis.call('HSET', KEYS[2], ARGV[1], seen .. ' ' .. content)
if tonumber(ARGV[2]) % 64 == 1 then
  local all = redis.call('HGETALL', KEYS[2])
  for i = 1, #all, 2 do
    if (tonumber(string.match(all[i + 1], '^(%d+) ')) or 0) < seen - 86400 then
      redis.call('HDEL', KEYS[2], all[i])
      redis.call('HDEL', KEYS[1], 'n:' .. all[i])
    end
  end
end
return epoch
" }

script! {
    /// Keys: totals, instances. Argument: id.
    LEAVE = [], r"
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('HDEL', KEYS[1], 'n:' .. ARGV[1])
" }

script! {
    /// Keys: totals, instances. Arguments: seconds that a sign of life counts, then names of counts. Answers since when
    /// is counted, the counts, and ids and living instances by turns.
    TOTALS = [], r"
local counts = {}
for i = 2, #ARGV do counts[i - 1] = redis.call('HGET', KEYS[1], ARGV[i]) or '0' end
local now, alive = tonumber(redis.call('TIME')[1]), {}
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local seen, content = string.match(all[i + 1], '^(%d+) (.*)$')
  if seen and math.abs(now - tonumber(seen)) <= tonumber(ARGV[1]) then
    alive[#alive + 1] = all[i]
    alive[#alive + 1] = content
  end
end
return { redis.call('HGET', KEYS[1], 'since') or '', counts, alive }
" }

script! {
    /// Keys: totals, instances, log. Arguments: channel, new generation, step, new epoch, now in milliseconds, then names
    /// of counts. Answers how many listen.
    RESET = [LOG, TELL], r#"
for i = 6, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
if redis.call('HSETNX', KEYS[1], 'epoch', ARGV[4]) == 0 then redis.call('HINCRBY', KEYS[1], 'epoch', 1) end
redis.call('HSET', KEYS[1], 'since', ARGV[5])
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local zero = string.gsub(all[i + 1], '"counts":%[[^%]]*%]', '"counts":[0,0,0,0,0,0]')
  redis.call('HSET', KEYS[2], all[i], zero)
end
local told, logged = tell(KEYS[3], ARGV[1], ARGV[2], ARGV[3], 'reset', { '' })
if not told then return logged end
return told
"# }

script! {
    /// Keys: rows. Arguments: cursor, now in milliseconds, whether to remove. Looks at some rows, and removes those that
    /// have expired. Answers the next cursor, 0 at the end, and how many are alive.
    SWEEP = [], r"
local found, alive = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', 500), 0
for i = 1, #found[2], 2 do
  local expires = tonumber(string.match(found[2][i + 1], '^(%-?%d+) '))
  if expires and expires > tonumber(ARGV[2]) then
    alive = alive + 1
  elseif expires and ARGV[3] == '1' then
    redis.pcall('HDEL', KEYS[1], found[2][i])
  end
end
return { found[1], alive }
" }

script! {
    /// Keys: one that nobody else uses. Arguments: a value. Answers the server's seconds and microseconds, what it says of
    /// its memory, and why it takes no changes; empty texts where it does not say, and where it does.
    VITALS = [], r"
local time = redis.call('TIME')
local memory = redis.pcall('INFO', 'memory')
if type(memory) == 'table' then memory = memory['txt'] or '' end
local set = redis.pcall('SET', KEYS[1], ARGV[1], 'PX', '1000')
local refused = ''
if type(set) == 'table' and set.err then refused = set.err else redis.pcall('DEL', KEYS[1]) end
return { tonumber(time[1]), tonumber(time[2]), memory, refused }
" }

script! {
    /// Keys: rows. Arguments: cursor. Answers the next cursor, and tenants and rows by turns.
    CACHED = [], r"
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', '500')
return { page[1], page[2] }
" }
