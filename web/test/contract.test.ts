/**
 * Holds the client against what the Go side says: the types of records.ts
 * against the structs of package feed, and the parser against the hub's golden
 * bytes.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { streamParser, type ServerEvent } from '../src/client/parser.ts';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');

/** Field names and TypeScript types of a record. */
type Shape = Record<string, string>;

/** Structs of Go source by name, in the terms of TypeScript. */
function goShapes(source: string): Record<string, Shape> {
  const plain: Record<string, string> = { string: 'string', bool: 'boolean', int: 'number', int64: 'number', float64: 'number', Score: 'number', 'orders.Time': 'string', Degrees: 'readonly [number, number]' };
  const typeOf = (go: string): string => (go.startsWith('[]') ? `readonly ${typeOf(go.slice(2))}[]` : go.startsWith('*') ? typeOf(go.slice(1)) : (plain[go] ?? go));
  const shapes: Record<string, Shape> = {};
  for (const [, name, body] of source.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)) {
    const shape: Shape = {};
    for (const [, go, json, optional] of body!.matchAll(/^\t\w+\s+(\S+)\s+`json:"(\w+)(,omitempty)?"`/gm)) shape[`${json}${optional ? '?' : ''}`] = typeOf(go!);
    shapes[name!] = shape;
  }
  return shapes;
}

/** Interfaces of records.ts by name. */
function typeShapes(source: string): Record<string, Shape> {
  const shapes: Record<string, Shape> = {};
  for (const [, name, body] of source.matchAll(/^export interface (\w+)[^{]*\{\n([\s\S]*?)^\}/gm)) {
    const shape: Shape = {};
    for (const [, field, type] of body!.matchAll(/^ {2}readonly (\w+\??): (.+);/gm)) shape[field!] = type!;
    shapes[name!] = shape;
  }
  return shapes;
}

describe('types of the records', () => {
  const go = goShapes(read('../../feed/records.go'));
  const types = typeShapes(read('../src/client/records.ts'));
  const figures = ['sales', 'orders', 'shoppers', 'distance_m', 'carbon_g'];

  it.each(['Window', 'Total', 'Trending', 'TrendingItem', 'Shipments', 'Arc', 'Latest', 'Peak'])('%s is as package feed has it', (name) => {
    expect(Object.keys(go[name] ?? {}).length).toBeGreaterThan(1);
    expect(types[name]).toEqual(go[name]);
  });

  it('History and its peaks hold each figure', () => {
    const { peak, ...history } = go['History']!;
    for (const figure of figures) {
      expect(history[figure]).toBe('readonly number[]');
      delete history[figure];
      expect(go['Peaks']![figure]).toBe('Peak');
    }
    expect(Object.keys(go['Peaks']!)).toHaveLength(figures.length);
    expect(peak).toBe('Peaks');
    const { peak: _, ...own } = types['History']!;
    expect(own).toEqual(history);
  });
});

describe('golden bytes of the hub', () => {
  const folder = new URL('../../hub/testdata/', import.meta.url);
  const parse = (text: string): ServerEvent[] => {
    const events: ServerEvent[] = [];
    streamParser({ event: (e) => void events.push(e), retry: () => {} }).feed(new TextEncoder().encode(text));
    return events;
  };
  const event = (name: string) => parse(read(`../../hub/testdata/${name}.txt`).replace(/\n*$/, '\n\n'))[0]!;

  it('are read', () => {
    expect(existsSync(folder)).toBe(true);
    expect(readdirSync(folder).length).toBeGreaterThan(5);
  });

  it('hello names version, heartbeat, clock and topics', () => {
    const { name, data } = event('hello');
    expect(name).toBe('hello');
    expect(JSON.parse(data)).toMatchObject({ v: 1, heartbeat_ms: expect.any(Number), now: expect.stringMatching(/Z$/), topics: expect.arrayContaining([{ name: 'shipments', kind: 'log' }]) });
  });

  it.each([
    ['heartbeat', ['now']],
    ['gap', ['topic', 'reason']],
    ['goodbye', ['reason']],
    ['delete', ['topic', 'key']],
  ])('%s holds what the client reads', (name, fields) => {
    const { name: got, data } = event(name);
    expect(got).toBe(name);
    for (const field of fields) expect(JSON.parse(data)).toHaveProperty(field);
  });
});
