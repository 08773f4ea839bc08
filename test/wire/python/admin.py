"""Walks through what an admin client can do and prints what it saw, for the test to judge.

Arguments, one JSON value: library (confluent_kafka | kafka), bootstrap, topic (to be created), group (to be used).
"""
import json
import sys
import time

args = json.loads(sys.argv[1])
topic, group = args['topic'], args['group']
saw = {}


def name_of(error):
    """The protocol's name of an error, from either library's exceptions; None where there was none."""
    if error is None:
        return None
    if hasattr(error, 'args') and error.args and hasattr(error.args[0], 'name'):
        return error.args[0].name()
    return type(error).__name__


def until(holds):
    """Another Kafka may show what it did a little later than it says so."""
    for _ in range(50):
        if holds():
            return
        time.sleep(0.1)


def with_confluent():
    from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
    from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic
    admin = AdminClient({'bootstrap.servers': args['bootstrap']})

    def outcome(futures):
        (future,) = futures.values()
        try:
            return None, future.result(15)
        except KafkaException as error:
            return name_of(error), None

    def new(name=topic, partitions=3, factor=1, config=None):
        return NewTopic(name, partitions, factor, config=config or {})

    def configs():
        found = outcome(admin.describe_configs([ConfigResource('topic', topic)]))[1]
        return {name: entry.value for name, entry in found.items()}

    saw['dry'] = outcome(admin.create_topics([new()], validate_only=True))[0]
    saw['onlyValidated'] = topic not in admin.list_topics(timeout=10).topics
    saw['created'] = outcome(admin.create_topics([new(config={'retention.ms': '3600000'})]))[0]
    saw['again'] = outcome(admin.create_topics([new()]))[0]
    saw['badName'] = outcome(admin.create_topics([new('../x')]))[0]
    saw['badFactor'] = outcome(admin.create_topics([new(topic + '-x', 1, 3)]))[0]
    saw['badPartitions'] = outcome(admin.create_topics([new(topic + '-x', 0)]))[0]
    saw['badConfig'] = outcome(admin.create_topics([new(topic + '-x', config={'retention.ms': 'soon'})]))[0]
    saw['partitions'] = len(admin.list_topics(topic, timeout=10).topics[topic].partitions)
    saw['grown'] = outcome(admin.create_partitions([NewPartitions(topic, 5)]))[0]
    saw['shrunk'] = outcome(admin.create_partitions([NewPartitions(topic, 2)]))[0]
    saw['partitionsThen'] = len(admin.list_topics(topic, timeout=10).topics[topic].partitions)
    saw['retention'] = configs()['retention.ms']
    altered = ConfigResource('topic', topic, set_config={'retention.ms': '7200000', 'segment.bytes': '1048576'})
    saw['altered'] = outcome(admin.alter_configs([altered]))[0]
    then = configs()
    saw['retentionThen'], saw['segmentThen'] = then['retention.ms'], then['segment.bytes']
    refused = ConfigResource('topic', topic, set_config={'no.such.setting': '1'})
    saw['unknownSetting'] = outcome(admin.alter_configs([refused]))[0]

    producer = Producer({'bootstrap.servers': args['bootstrap'], 'acks': 'all'})
    for n in range(10):
        producer.produce(topic, b'v%d' % n, partition=0, timestamp=1700000000000 + n * 1000)
    producer.flush(15)
    consumer = Consumer({'bootstrap.servers': args['bootstrap'], 'group.id': group, 'enable.auto.commit': False})
    saw['watermarks'] = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
    asked = [TopicPartition(topic, 0, ts) for ts in (1700000000000, 1700000004500)]
    saw['byTime'] = [consumer.offsets_for_times([tp], timeout=10)[0].offset for tp in asked]
    saw['afterTheEnd'] = consumer.offsets_for_times([TopicPartition(topic, 0, 1800000000000)], timeout=10)[0].offset
    consumer.commit(offsets=[TopicPartition(topic, 0, 4)], asynchronous=False)
    committed = consumer.committed([TopicPartition(topic, 0), TopicPartition(topic, 1)], timeout=10)
    saw['committed'] = [tp.offset for tp in committed]
    consumer.close()
    saw['listed'] = group in [found.id for found in admin.list_groups(timeout=10)]
    saw['cluster'] = [broker.id for broker in admin.list_topics(timeout=10).brokers.values()]
    saw['deleted'] = outcome(admin.delete_topics([topic]))[0]
    saw['deletedAgain'] = outcome(admin.delete_topics([topic]))[0]
    until(lambda: topic not in admin.list_topics(timeout=10).topics)
    saw['gone'] = topic not in admin.list_topics(timeout=10).topics


def with_kafka_python():
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
    from kafka.errors import KafkaError
    from kafka.structs import OffsetAndMetadata
    admin = KafkaAdminClient(bootstrap_servers=args['bootstrap'])

    def outcome(act):
        try:
            act()
            return None
        except KafkaError as error:
            return type(error).__name__

    def configs():
        (response,) = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        (resource,) = response.resources
        return {entry[0]: entry[1] for entry in resource[4]}

    saw['created'] = outcome(lambda: admin.create_topics([NewTopic(topic, 3, 1, topic_configs={'retention.ms': '3600000'})]))
    saw['again'] = outcome(lambda: admin.create_topics([NewTopic(topic, 3, 1)]))
    saw['badName'] = outcome(lambda: admin.create_topics([NewTopic('../x', 3, 1)]))
    saw['partitions'] = len(admin.describe_topics([topic])[0]['partitions'])
    saw['grown'] = outcome(lambda: admin.create_partitions({topic: NewPartitions(5)}))
    until(lambda: len(admin.describe_topics([topic])[0]['partitions']) == 5)
    saw['partitionsThen'] = len(admin.describe_topics([topic])[0]['partitions'])
    saw['retention'] = configs()['retention.ms']
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {'retention.ms': '7200000'})])
    saw['retentionThen'] = configs()['retention.ms']

    producer = KafkaProducer(bootstrap_servers=args['bootstrap'], acks='all')
    for n in range(10):
        producer.send(topic, b'v%d' % n, partition=0, timestamp_ms=1700000000000 + n * 1000)
    producer.close()
    first = TopicPartition(topic, 0)
    consumer = KafkaConsumer(bootstrap_servers=args['bootstrap'], group_id=group, enable_auto_commit=False)
    consumer.assign([first])
    saw['watermarks'] = [consumer.beginning_offsets([first])[first], consumer.end_offsets([first])[first]]
    saw['byTime'] = [consumer.offsets_for_times({first: ts})[first].offset for ts in (1700000000000, 1700000004500)]
    saw['afterTheEnd'] = consumer.offsets_for_times({first: 1800000000000})[first]
    consumer.commit({first: OffsetAndMetadata(4, 'halfway')})
    consumer.close()
    offsets = admin.list_consumer_group_offsets(group)
    saw['committed'] = [[tp.partition, at.offset, at.metadata] for tp, at in offsets.items()]
    saw['listed'] = group in [found[0] for found in admin.list_consumer_groups()]
    (description,) = admin.describe_consumer_groups([group])
    saw['described'] = [description.error_code, description.state, len(description.members)]
    saw['groupDeleted'] = [error.__name__ for _, error in admin.delete_consumer_groups([group])]
    saw['groupDeletedAgain'] = [error.__name__ for _, error in admin.delete_consumer_groups([group])]
    saw['cluster'] = [broker['node_id'] for broker in admin.describe_cluster()['brokers']]
    saw['deleted'] = outcome(lambda: admin.delete_topics([topic]))
    saw['deletedAgain'] = outcome(lambda: admin.delete_topics([topic]))
    until(lambda: topic not in admin.list_topics())
    saw['gone'] = topic not in admin.list_topics()


with_confluent() if args['library'] == 'confluent_kafka' else with_kafka_python()
print(json.dumps(saw))
