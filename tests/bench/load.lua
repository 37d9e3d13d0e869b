-- Sends prepared requests one after another: a file of "<length>\n<bytes>", then "once" or "repeat".
local prepared, at, repeating = {}, 0, false
exhausted = false  -- global: only such can be asked for from outside the thread

function init(arguments)
   local file = assert(io.open(arguments[1], "rb"))
   for line in function() return file:read("*l") end do
      prepared[#prepared + 1] = file:read(tonumber(line))
   end
   file:close()
   repeating = arguments[2] == "repeat"
end

function request()
   at = at + 1
   if at > #prepared then
      at = 1
      exhausted = not repeating
   end
   return prepared[at]
end

local thread_of_ours

function setup(thread)
   thread_of_ours = thread
end

function done(summary, latency)
   local lost = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
   print(string.format(
      '{"answers": %d, "errors": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "lost": %d, "exhausted": %s}',
      summary.requests, summary.errors.status, summary.duration / 1e6,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, lost, tostring(thread_of_ours:get("exhausted"))
   ))
end
