import type { Kind, RecordMessage } from './protocol.ts';

/** A record with what is known about it. The last three only with `envelope`. */
export interface Entry<T = unknown> {
  readonly topic: string;
  readonly kind: Kind;
  readonly key: string;
  readonly value: T;
  /** The stream's id behind this record. */
  readonly id: string;
  /** The record's time in Kafka. */
  readonly at?: string;
  readonly partition?: number;
  readonly offset?: number;
}

/** Reads a record that has travelled. Its text is known to be JSON. @internal */
export function entryOf(message: RecordMessage, envelope: boolean): Entry {
  const { topic, kind, key, id } = message;
  const whole = JSON.parse(message.text) as Record<string, unknown>;
  if (!envelope) return { topic, kind, key, id, value: whole };
  const { at, partition, offset, value } = whole;
  return {
    topic, kind, key, id, value,
    ...(typeof at === 'string' && { at }),
    ...(typeof partition === 'number' && { partition }),
    ...(typeof offset === 'number' && { offset }),
  };
}
