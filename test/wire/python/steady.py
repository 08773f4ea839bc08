"""An idempotent producer that goes on through crashes of the broker until a line on stdin or its end says stop.

Arguments, one JSON value: bootstrap, topic, partitions, name, perSecond. Record n has the value `name:n` and lies in partition
n modulo partitions. Events: acked {count} now and then; done {sent, acked, failed} after everything in flight is settled.
"""
import json
import sys
import threading
import time

from confluent_kafka import Producer

args = json.loads(sys.argv[1])
acked = 0
failed = []
stopping = threading.Event()


def tell(event, **fields):
    print(json.dumps({'event': event, **fields}), flush=True)


def delivered(error, message):
    global acked
    if error is None:
        acked += 1
    else:
        failed.append(str(error))


threading.Thread(target=lambda: (sys.stdin.readline(), stopping.set()), daemon=True).start()
producer = Producer({
    'bootstrap.servers': args['bootstrap'], 'enable.idempotence': True, 'acks': 'all', 'linger.ms': 5,
    'message.timeout.ms': 300000, 'retry.backoff.ms': 50, 'reconnect.backoff.ms': 20, 'reconnect.backoff.max.ms': 100,
}, logger=None)
sent = 0
told = 0
start = time.monotonic()
while not stopping.is_set():
    due = int((time.monotonic() - start) * args['perSecond'])
    try:
        while sent < due:
            producer.produce(args['topic'], b'%s:%d' % (args['name'].encode(), sent), partition=sent % args['partitions'],
                             on_delivery=delivered)
            sent += 1
    except BufferError:
        pass  # a broker that is away longer than the queue is deep: wait for it
    producer.poll(0.01)
    if acked > told:
        told = acked
        tell('acked', count=acked)
producer.flush(60)
tell('done', sent=sent, acked=acked, failed=failed[:5])
