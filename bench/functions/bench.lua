#!lua name=bench

-- What the bench plugins and examples/rate-limiter do, as functions of the server: the measure for plugin commands.

redis.register_function('bench_echo', function(keys, args)
  return args[1]
end)

local function positive_integer(text, most, what)
  local number = tonumber(text)
  if not number or number < 1 or number > most or number ~= math.floor(number) then
    return nil, redis.error_reply('ERR ' .. what .. ' must be an integer from 1')
  end
  return number
end

local function remaining_of(tat, now, max, window)
  return math.max(0, math.floor((now + window - tat) / (window / max) + 1e-6))
end

local function reply(allowed, remaining, retry_after, reset_after)
  return { 'allowed', allowed, 'remaining', remaining, 'retry-after-ms', retry_after, 'reset-after-ms', reset_after }
end

-- FCALL bench_check 1 key max window-ms [COST n], the same algorithm and the same reply as RATELIMIT.CHECK.
redis.register_function('bench_check', function(keys, args)
  local max, problem = positive_integer(args[1], 9007199254740991, 'max')
  if not max then return problem end
  local window
  window, problem = positive_integer(args[2], 86400000 * 366, 'window')
  if not window then return problem end
  local cost = 1
  if args[3] then
    if string.upper(args[3]) ~= 'COST' then return redis.error_reply('ERR syntax error') end
    cost, problem = positive_integer(args[4], 9007199254740991, 'cost')
    if not cost then return problem end
  end
  if cost > max then return redis.error_reply('ERR COST can never fit') end

  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local stored = redis.call('GET', keys[1])
  local tat_before = now
  if stored then
    local number = tonumber(stored)
    if not number then return redis.error_reply('WRONGTYPE the key holds something else than a rate limit') end
    tat_before = math.max(number, now)
  end
  local tat = tat_before + (window / max) * cost
  local wait = math.ceil(tat - now - window - 1e-6)
  if wait > 0 then
    return reply(0, remaining_of(tat_before, now, max, window), wait, math.ceil(tat_before - now))
  end
  local reset = math.max(1, math.ceil(tat - now))
  redis.call('SET', keys[1], string.format('%.17g', tat), 'PX', string.format('%d', reset))
  return reply(1, remaining_of(tat, now, max, window), 0, reset)
end)
