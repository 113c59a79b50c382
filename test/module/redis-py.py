"""What redis-py makes of a server: prints what came back, for comparison with another server. Argument: the port."""
import sys
import redis


def show(name, ask):
    try:
        print(name, repr(ask()))
    except redis.RedisError as error:
        print(name, type(error).__name__, error)


def transaction(client):
    with client.pipeline() as pipe:
        pipe.watch("m")
        client.set("m", "changed")
        pipe.multi()
        pipe.set("m", 2)
        return pipe.execute()


def published(client):
    listener = client.pubsub()
    listener.subscribe("c")
    first = listener.get_message(timeout=10)
    client.publish("c", "hello")
    second = listener.get_message(timeout=10)
    listener.close()
    return first, second


for protocol in (2, 3):
    client = redis.Redis(port=int(sys.argv[1]), protocol=protocol, decode_responses=True)
    client.flushall()
    show("set", lambda: client.set("k", "v"))
    show("get", lambda: client.get("k"))
    show("wrong type", lambda: client.lpush("k", "x"))
    show("unknown", lambda: client.execute_command("NONE", "a"))
    show("arity", lambda: client.execute_command("GET"))
    for atomic in (True, False):
        pipe = client.pipeline(transaction=atomic)
        for n in range(50):
            pipe.set(f"p:{n}", n).incr(f"p:{n}").lpush("k", "x").get(f"p:{n}")
        show(f"pipeline {atomic}", lambda: [str(one) for one in pipe.execute(raise_on_error=False)])
    show("watch", lambda: transaction(client))
    client.rpush("l", "there")
    show("blpop", lambda: client.blpop(["none", "l"], timeout=0))
    show("blpop in vain", lambda: client.blpop("none", timeout=0.01))
    show("published", lambda: published(client))
    show("scan", lambda: sorted(client.scan_iter(match="p:*", count=7)))
    client.hset("h", mapping={f"f{n}": n for n in range(50)})
    show("hscan", lambda: sorted(client.hscan_iter("h", count=7)))
    show("hgetall", lambda: client.hgetall("h"))
    client.zadd("z", {"a": 1.5, "b": 2})
    show("zrange", lambda: client.zrange("z", 0, -1, withscores=True))
    show("script", lambda: client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")(keys=["two"], args=[2]))
    show("lock", lambda: client.lock("lock", timeout=10).acquire())
    show("config", lambda: client.config_get("hz"))
    client.close()
