"""A member of a consumer group that tells what happens to it, one JSON value per line of stdout, until SIGTERM.

Arguments, one JSON value: library (confluent_kafka | kafka), bootstrap, group, topic, strategy, instance (optional).
Events: assigned and revoked {partitions}; records {partition, offset (of the first), values}, told before their commit;
committed {partition, offset}; failed {error}.
"""
import json
import signal
import sys

args = json.loads(sys.argv[1])
running = True


def stop(*_):
    global running
    running = False


signal.signal(signal.SIGTERM, stop)


def tell(event, **fields):
    print(json.dumps({'event': event, **fields}), flush=True)


def with_confluent():
    from confluent_kafka import Consumer, KafkaException, TopicPartition
    config = {'bootstrap.servers': args['bootstrap'], 'group.id': args['group'], 'session.timeout.ms': 6000,
              'heartbeat.interval.ms': 500, 'auto.offset.reset': 'earliest', 'enable.auto.commit': False,
              'partition.assignment.strategy': args['strategy'], 'topic.metadata.refresh.interval.ms': 1000}
    if 'instance' in args:
        config['group.instance.id'] = args['instance']
    consumer = Consumer(config, logger=None)
    consumer.subscribe([args['topic']],
                       on_assign=lambda _, ps: tell('assigned', partitions=sorted(p.partition for p in ps)),
                       on_revoke=lambda _, ps: tell('revoked', partitions=sorted(p.partition for p in ps)),
                       on_lost=lambda _, ps: tell('revoked', partitions=sorted(p.partition for p in ps), lost=True))
    while running:
        by_partition = {}
        for message in consumer.consume(100, 0.2):
            if message.error():
                tell('failed', error=message.error().name(), fatal=message.error().fatal())
                continue
            by_partition.setdefault(message.partition(), []).append(message)
        for partition, messages in by_partition.items():
            tell('records', partition=partition, offset=messages[0].offset(), values=[m.value().decode() for m in messages])
            try:
                end = messages[-1].offset() + 1
                consumer.commit(offsets=[TopicPartition(args['topic'], partition, end)], asynchronous=False)
                tell('committed', partition=partition, offset=end)
            except KafkaException as error:  # a rebalance came in between: whoever has the partition now reads on
                tell('failed', error=error.args[0].name(), fatal=error.args[0].fatal())
    consumer.close()


def with_kafka_python():
    from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
    from kafka.coordinator.assignors.range import RangePartitionAssignor
    from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
    from kafka.errors import KafkaError
    from kafka.structs import OffsetAndMetadata

    class Listener(ConsumerRebalanceListener):
        def on_partitions_assigned(self, assigned):
            tell('assigned', partitions=sorted(p.partition for p in assigned))

        def on_partitions_revoked(self, revoked):
            tell('revoked', partitions=sorted(p.partition for p in revoked))

    strategies = {'range': RangePartitionAssignor, 'roundrobin': RoundRobinPartitionAssignor}
    consumer = KafkaConsumer(bootstrap_servers=args['bootstrap'], group_id=args['group'], session_timeout_ms=6000,
                             heartbeat_interval_ms=500, auto_offset_reset='earliest', enable_auto_commit=False,
                             partition_assignment_strategy=[strategies[args['strategy']]], metadata_max_age_ms=1000)
    consumer.subscribe([args['topic']], listener=Listener())
    while running:
        for tp, messages in consumer.poll(200, max_records=100).items():
            tell('records', partition=tp.partition, offset=messages[0].offset, values=[m.value.decode() for m in messages])
            try:
                end = messages[-1].offset + 1
                consumer.commit({TopicPartition(tp.topic, tp.partition): OffsetAndMetadata(end, '')})
                tell('committed', partition=tp.partition, offset=end)
            except KafkaError as error:
                tell('failed', error=type(error).__name__, fatal=False)
    consumer.close(autocommit=False)


with_confluent() if args['library'] == 'confluent_kafka' else with_kafka_python()
