-- What benches/serve/load.rs reads: requests, microseconds, the 99th percentile in microseconds, and what went wrong.
done = function(summary, latency)
   local errors = summary.errors
   io.write(string.format("RESULT %.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f\n",
      summary.requests, summary.duration, latency:percentile(99),
      errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
