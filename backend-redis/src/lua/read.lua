return {now, call('HGET', records, ARGV[2])}
