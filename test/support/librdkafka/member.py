"""
A member of a group that librdkafka runs. Its one argument is JSON: {config, topics}. It commits what
it has seen after each poll, and prints what happens, one JSON object a line:

    {"type": "assigned" | "revoked" | "lost", "partitions": ["orders-0"]}
    {"type": "records", "records": [{topic, partition, offset, value}]}
    {"type": "left"}

It leaves in order when its standard input ends.
"""

import json
import sys
import threading

from confluent_kafka import Consumer


def tell(line):
    print(json.dumps(line), flush=True)


def told(kind):
    def tell_partitions(_consumer, partitions):
        tell({"type": kind, "partitions": [f"{each.topic}-{each.partition}" for each in partitions]})

    return tell_partitions


def record_of(message):
    value = message.value()
    return {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "value": None if value is None else value.decode(),
    }


def consume(config, topics, is_leaving):
    consumer = Consumer({"enable.auto.commit": False, "auto.offset.reset": "earliest", **config})
    consumer.subscribe(topics, on_assign=told("assigned"), on_revoke=told("revoked"), on_lost=told("lost"))
    while not is_leaving.is_set():
        records = []
        for message in consumer.consume(500, 0.1):
            if message.error() is None:
                records.append(record_of(message))
            else:
                print(message.error(), file=sys.stderr, flush=True)
        if records:
            tell({"type": "records", "records": records})
            consumer.commit(asynchronous=False)
    consumer.close()


def main():
    command = json.loads(sys.argv[1])
    is_leaving = threading.Event()

    def await_end_of_input():
        sys.stdin.read()
        is_leaving.set()

    threading.Thread(target=await_end_of_input, daemon=True).start()
    consume(command["config"], command["topics"], is_leaving)
    tell({"type": "left"})


main()
