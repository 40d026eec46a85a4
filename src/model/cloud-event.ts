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
  /** What happened to it: a state, or one of `NOTICES`. */
  readonly word: string
  /** Tells it from the same word at another time: a boot, or a time. */
  readonly ordinal: number
  /** Whose instance it is. Null: it is about a host, which concerns the operator only. */
  readonly account: AccountId | null
  /** By the store's clock, in milliseconds since the epoch. */
  readonly atMs: number
  /** What is announced begins then, in milliseconds since the epoch. Null: when it was said. */
  readonly startsMs?: number | null | undefined
}

/** Something that an account is told about its instance. */
interface Notice {
  /** Of AWS Health. */
  readonly code: string
  readonly category: 'scheduledChange' | 'issue'
  readonly status: 'upcoming' | 'open' | 'closed'
  /** For people. */
  readonly text: string
}

const STOP = { code: 'AWS_EC2_INSTANCE_STOP_SCHEDULED', category: 'scheduledChange' } as const
const END = { code: 'AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED', category: 'scheduledChange' } as const
const REBOOT = {
  code: 'AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED',
  category: 'scheduledChange',
} as const
const ISSUE = { code: 'AWS_EC2_OPERATIONAL_ISSUE', category: 'issue' } as const

/** What an account may be told about its instance, by the word of the event. */
const NOTICES = {
  'instance-stop': {
    ...STOP,
    status: 'upcoming',
    text: 'The instance will be stopped, by its schedule (atoll:schedule) or because its host is drained',
  },
  'instance-stop-withdrawn': {
    ...STOP,
    status: 'closed',
    text: 'The instance will not be stopped, as was announced',
  },
  'instance-retirement': {
    ...END,
    status: 'upcoming',
    text: 'The instance will be terminated because its time to live (atoll:ttl) ends',
  },
  'instance-retirement-withdrawn': {
    ...END,
    status: 'closed',
    text: 'The instance will not be terminated, as was announced',
  },
  'system-impaired': {
    ...ISSUE,
    status: 'open',
    text: 'Nothing is heard of the host of the instance',
  },
  'system-ok': {
    ...ISSUE,
    status: 'closed',
    text: 'The host of the instance is heard of again',
  },
  'instance-impaired': {
    ...ISSUE,
    status: 'open',
    text: 'The instance does not answer its host',
  },
  'instance-ok': {
    ...ISSUE,
    status: 'closed',
    text: 'The instance answers its host again',
  },
  'instance-reboot': {
    ...REBOOT,
    status: 'upcoming',
    text: 'The instance does not answer its host, and will be rebooted',
  },
  'instance-reboot-withdrawn': {
    ...REBOOT,
    status: 'closed',
    text: 'The instance will not be rebooted, as was announced',
  },
  'instance-rebooted': {
    ...REBOOT,
    status: 'closed',
    text: 'The instance did not answer its host, which reboots it',
  },
  'instance-recovered': {
    code: 'AWS_EC2_SIMPLIFIED_AUTO_RECOVERY_SUCCESS',
    category: 'issue',
    status: 'closed',
    text: 'The host of the instance was lost, and another host starts it again',
  },
} as const satisfies Readonly<Record<string, Notice>>

/** The words of events about an account's instance, other than its state. */
export type NoticeWord = keyof typeof NOTICES

function noticeOf(word: string): Notice {
  if (Object.hasOwn(NOTICES, word)) return NOTICES[word as NoticeWord]
  // A newer daemon noted it.
  return { ...ISSUE, code: `AWS_EC2_${word}`, status: 'open', text: word }
}

/** The first word of the routing key of events that belong to no account. */
const OPERATOR_KEY = 'operator'
/** EventBridge's events have an account. This is nobody's. */
const NO_ACCOUNT = '000000000000'

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
      eventTypeCategory: z.enum(['scheduledChange', 'issue']),
      eventTypeCode: z
        .string()
        .describe(
          'AWS_EC2_INSTANCE_STOP_SCHEDULED: by its schedule, or its host is drained; AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED: its time to live ends; AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED: it hangs; AWS_EC2_OPERATIONAL_ISSUE: its host is lost, or it does not answer',
        ),
      statusCode: z
        .enum(['upcoming', 'open', 'closed'])
        .describe('closed: what was announced will not happen, or the issue is over'),
      startTime: z.string().describe('ISO 8601, UTC. Of what is upcoming: not before this time'),
      eventDescription: z.array(
        z.strictObject({ language: z.literal('en_US'), latestDescription: z.string() }),
      ),
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
function sayings(pending: PendingEvent, region: string) {
  const { kind, subject, word, account: owner } = pending
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
        detail: noticeDetail(pending),
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

/** As AWS Health says it: https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html */
function noticeDetail({ subject, word, atMs, startsMs }: PendingEvent) {
  const { code, category, status, text } = noticeOf(word)
  return {
    service: 'EC2',
    eventTypeCategory: category,
    eventTypeCode: code,
    statusCode: status,
    startTime: isoSeconds(startsMs ?? atMs),
    eventDescription: [{ language: 'en_US', latestDescription: text }],
    affectedEntities: [{ entityValue: subject }],
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
