"""Produces the lines of stdin (key TAB value) in their order and prints how many were acknowledged.

Arguments, one JSON value: library (confluent_kafka | kafka), bootstrap, topic, codec, config (of the library, optional).
"""
import json
import sys

args = json.loads(sys.argv[1])
config = args.get('config', {})
acknowledged = 0
failed = []


def lines():
    for line in sys.stdin.buffer:
        yield line.rstrip(b'\n').split(b'\t', 1)


def delivered(error, message):
    global acknowledged
    if error is None:
        acknowledged += 1
    else:
        failed.append(str(error))


def with_confluent():
    from confluent_kafka import Producer
    producer = Producer({'bootstrap.servers': args['bootstrap'], 'compression.type': args['codec'], 'acks': 'all', **config})
    for key, value in lines():
        while True:
            try:
                producer.produce(args['topic'], key=key, value=value, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    producer.flush(60)


def with_kafka_python():
    global acknowledged
    from kafka import KafkaProducer
    codec = None if args['codec'] == 'none' else args['codec']
    producer = KafkaProducer(bootstrap_servers=args['bootstrap'], compression_type=codec, acks='all', linger_ms=5,
                             max_in_flight_requests_per_connection=1, retries=3, **config)
    sent = [producer.send(args['topic'], key=key, value=value) for key, value in lines()]
    producer.flush(60)
    for future in sent:
        future.get(timeout=1)
        acknowledged += 1
    producer.close()


with_confluent() if args['library'] == 'confluent_kafka' else with_kafka_python()
print(json.dumps({'acknowledged': acknowledged, 'failed': failed[:5]}))
