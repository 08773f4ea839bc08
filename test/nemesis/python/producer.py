"""librdkafka, idempotent, with its own retries: tells of every record what became of it, until a line on stdin or its end.

Arguments, one JSON value: bootstrap, topic, partitions, name, perSecond. Record n has the value `name:n` and lies in partition
n modulo partitions. Events: sent {records: [[n, began, ended, offset, error or null], ...]}, times of the monotonic clock in ns;
done {open: [[n, began], ...] of those whose fate is not known, failure: what it gave up with, or null}.
"""
import json
import sys
import threading
import time

from confluent_kafka import KafkaException, Producer

args = json.loads(sys.argv[1])
began = {}
ready = []
stopping = threading.Event()


def tell(event, **fields):
    print(json.dumps({'event': event, **fields}), flush=True)


def delivered(n):
    def callback(error, message):
        offset = message.offset() if error is None else None
        ready.append([n, began.pop(n), time.monotonic_ns(), offset, None if error is None else error.name()])
    return callback


threading.Thread(target=lambda: (sys.stdin.readline(), stopping.set()), daemon=True).start()
fatal = []
producer = Producer({'bootstrap.servers': args['bootstrap'], 'enable.idempotence': True, 'linger.ms': 5,
                     'error_cb': lambda error: fatal.append(str(error)) if error.fatal() else None}, logger=None)
sent = 0
start = time.monotonic()


def flush_told():
    global ready
    if ready:
        tell('sent', records=ready)
        ready = []


while not stopping.is_set() and not fatal:
    due = int((time.monotonic() - start) * args['perSecond'])
    try:
        while sent < due and len(began) < args['perSecond'] * 5:
            began[sent] = time.monotonic_ns()
            producer.produce(args['topic'], b'%s:%d' % (args['name'].encode(), sent), partition=sent % args['partitions'],
                             on_delivery=delivered(sent))
            sent += 1
    except BufferError:
        began.pop(sent, None)
    except KafkaException as error:
        fatal.append(str(error))
    producer.poll(0.01)
    flush_told()
producer.flush(60)
flush_told()
tell('done', open=[[n, at] for n, at in began.items()], failure=fatal[0] if fatal else None)
