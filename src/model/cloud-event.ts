/**
 * What happens in the cloud, as programs hear it on the bus: events in EventBridge's form. Pure.
 *
 * What happened is kept with the records (`PendingEvent`) until it is published. The id of its
 * event follows from it, so an event that is published twice has the same id.
 * https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
 */
import { hash } from 'node:crypto'
import { z } from 'zod'
import type { AccountId, HostName } from './ids.ts'
import { isoSeconds } from './iso-time.ts'

/** The kinds of events. They are part of the routing key. */
export const EVENT_KINDS = ['instance-state-change', 'instance-event', 'host-state-change'] as const
type EventKind = (typeof EVENT_KINDS)[number]

/** Something that happened, with everything that its event says. */
export interface PendingEvent {
  readonly kind: EventKind
  /** The instance or host. */
  readonly subject: string
  /** What happened to it: a state, or the code of a scheduled event. */
  readonly word: string
  /** Tells it from the same word at another time: a boot, or a time. */
  readonly ordinal: number
  /** Whose instance it is. Null: it is about a host, which concerns the operator only. */
  readonly account: AccountId | null
  /** By the store's clock, in milliseconds since the epoch. */
  readonly atMs: number
}

/** The first word of the routing key of events that belong to no account. */
const OPERATOR_KEY = 'operator'
/** EventBridge's events have an account. This is nobody's. */
const NO_ACCOUNT = '000000000000'
const HEALTH_CODES: Readonly<Record<string, string>> = {
  'instance-stop': 'AWS_EC2_INSTANCE_STOP_SCHEDULED',
}

const head = {
  version: z.literal('0'),
  id: z.uuid().describe('The same when an event is published again: drop repeats by it'),
  time: z.string().describe('When it happened, by the clock of the database: ISO 8601, UTC'),
  region: z.string(),
  resources: z.array(z.string()).describe('ARNs; of a host, its name'),
}
const account = z.string().describe('Whose it is')

/** The bodies of events, by kind. */
export const eventSchemas = {
  'instance-state-change': z.strictObject({
    ...head,
    'detail-type': z.literal('EC2 Instance State-change Notification'),
    source: z.literal('aws.ec2'),
    account,
    detail: z.strictObject({
      'instance-id': z.string(),
      state: z.enum(['pending', 'running', 'stopping', 'stopped', 'shutting-down', 'terminated']),
    }),
  }),
  'instance-event': z.strictObject({
    ...head,
    'detail-type': z.literal('AWS Health Event'),
    source: z.literal('aws.health'),
    account,
    detail: z.strictObject({
      service: z.literal('EC2'),
      eventTypeCategory: z.literal('scheduledChange'),
      eventTypeCode: z.string().describe('AWS_EC2_INSTANCE_STOP_SCHEDULED: its host is drained'),
      startTime: z.string(),
      affectedEntities: z.array(z.strictObject({ entityValue: z.string() })),
    }),
  }),
  'host-state-change': z.strictObject({
    ...head,
    'detail-type': z.literal('Atoll Host State-change Notification'),
    source: z.literal('atoll'),
    account: z.literal(NO_ACCOUNT).describe('Events of hosts belong to no account'),
    detail: z.strictObject({
      host: z.string(),
      state: z
        .enum(['lost', 'live', 'draining', 'active', 'forgotten'])
        .describe(
          'lost: its lease has run out, live: it has one again; draining, active, forgotten: the operator said so',
        ),
    }),
  }),
} as const

/** An event, ready to be published. */
export interface CloudEvent {
  readonly id: string
  /** `<account>.<kind>.<state>`, or `operator.…`. */
  readonly routingKey: string
  /** JSON, by `eventSchemas`. */
  readonly body: string
  readonly atMs: number
}

/** The event of something that happened. */
export function cloudEventOf(pending: PendingEvent, region: string): CloudEvent {
  const { kind, word, atMs, account: owner } = pending
  const id = cloudEventId(pending)
  const body = {
    version: '0',
    id,
    ...sayings(pending, region),
    account: owner ?? NO_ACCOUNT,
    time: isoSeconds(atMs),
    region,
  }
  const routingKey = `${owner ?? OPERATOR_KEY}.${kind}.${word}`
  return { id, routingKey, body: JSON.stringify(body), atMs }
}

/** What differs between kinds. */
function sayings({ kind, subject, word, account: owner, atMs }: PendingEvent, region: string) {
  const arn = `arn:aws:ec2:${region}:${owner ?? ''}:instance/${subject}`
  switch (kind) {
    case 'instance-state-change':
      return {
        'detail-type': 'EC2 Instance State-change Notification',
        source: 'aws.ec2',
        resources: [arn],
        detail: { 'instance-id': subject, state: word },
      }
    case 'instance-event':
      return {
        'detail-type': 'AWS Health Event',
        source: 'aws.health',
        resources: [arn],
        detail: {
          service: 'EC2',
          eventTypeCategory: 'scheduledChange',
          eventTypeCode: HEALTH_CODES[word] ?? `AWS_EC2_${word}`,
          startTime: isoSeconds(atMs),
          affectedEntities: [{ entityValue: subject }],
        },
      }
    case 'host-state-change':
      return {
        'detail-type': 'Atoll Host State-change Notification',
        source: 'atoll',
        resources: [subject],
        detail: { host: subject, state: word },
      }
  }
}

/** A UUID (RFC 9562, version 8) that follows from what happened. */
export function cloudEventId({ kind, subject, word, ordinal }: PendingEvent): string {
  const digest = hash('sha256', JSON.stringify([kind, subject, word, ordinal]), 'hex')
  const bytes = Buffer.from(digest.slice(0, 32), 'hex')
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)]
  return [...parts, hex.slice(20)].join('-')
}

/** A host that was found lost, or live again. */
export interface HostPresence {
  readonly host: HostName
  /** When its lease ran out, by the store's clock, in milliseconds since the epoch. */
  readonly sinceMs: number
}
