"""Reads whole partitions of a topic and prints their digests: {partition: [count, sha256 over key TAB value NL]}.

Arguments, one JSON value: library (confluent_kafka | kafka), bootstrap, topic, partitions (how many).
"""
import hashlib
import json
import sys

args = json.loads(sys.argv[1])
parts = range(args['partitions'])
hashes = {p: hashlib.sha256() for p in parts}
counts = {p: 0 for p in parts}


def add(partition, key, value):
    hashes[partition].update(b'%s\t%s\n' % (key, value))
    counts[partition] += 1


def with_confluent():
    from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
    consumer = Consumer({'bootstrap.servers': args['bootstrap'], 'group.id': 'digest', 'enable.auto.commit': False,
                         'enable.partition.eof': True, 'check.crcs': True})
    consumer.assign([TopicPartition(args['topic'], p, OFFSET_BEGINNING) for p in parts])
    ended = set()
    while len(ended) < len(parts):
        for message in consumer.consume(2000, 0.3):
            if message.error() is None:
                add(message.partition(), message.key(), message.value())
            elif message.error().code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            else:
                raise SystemExit(str(message.error()))
    consumer.close()


def with_kafka_python():
    from kafka import KafkaConsumer, TopicPartition
    consumer = KafkaConsumer(bootstrap_servers=args['bootstrap'], group_id=None, check_crcs=True)
    assigned = [TopicPartition(args['topic'], p) for p in parts]
    consumer.assign(assigned)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(assigned)
    while any(consumer.position(tp) < ends[tp] for tp in assigned):
        for tp, messages in consumer.poll(1000, max_records=5000).items():
            for message in messages:
                add(tp.partition, message.key, message.value)
    consumer.close()


with_confluent() if args['library'] == 'confluent_kafka' else with_kafka_python()
print(json.dumps({p: [counts[p], hashes[p].hexdigest()] for p in parts if counts[p]}))
