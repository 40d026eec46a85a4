/** LookupEvents, of CloudTrail. */
import { hash } from 'node:crypto'
import { z } from 'zod'
import { parseJson } from '../../lib/json.ts'
import { AUDIT_ATTRIBUTES, type AuditEvent, type AuditPosition } from '../../model/audit.ts'
import { refused } from '../../model/errors.ts'
import type { AccountId } from '../../model/ids.ts'
import { readAction } from '../read.ts'
import { withCode } from '../schemas.ts'

const PAGE_MAX = 50
const VALUE_MAX = 2000
const TOKEN_MAX = 1024
const TOKEN_VERSION = 1
/** Resources of one event in the answer. */
const RESOURCES_SHOWN = 100

const attributeSchema = z.strictObject({
  AttributeKey: z.enum(AUDIT_ATTRIBUTES, {
    error: `The AttributeKey must be one of ${AUDIT_ATTRIBUTES.join(', ')}`,
    ...withCode('InvalidLookupAttributesException'),
  }),
  AttributeValue: z.string().min(1).max(VALUE_MAX),
})

/**
 * Who called what in the caller's account: calls that changed something, failed, or handed out a
 * secret. Newest first. One attribute may be given, as with CloudTrail.
 */
export const lookupEvents = readAction({
  name: 'LookupEvents',
  needsRecords: true,
  input: z.strictObject({
    LookupAttributes: z
      .array(attributeSchema)
      .refine((list) => list.length <= 1, {
        error: 'LookupAttributes may contain only one item',
        ...withCode('InvalidLookupAttributesException'),
      })
      .default([]),
    StartTime: z.date().optional(),
    EndTime: z.date().optional(),
    EventCategory: z
      .string()
      .refine(() => false, {
        error: 'There are no events of a category; leave EventCategory out',
        ...withCode('InvalidEventCategoryException'),
      })
      .optional(),
    MaxResults: z
      .int()
      .refine((count) => count >= 1 && count <= PAGE_MAX, {
        error: `MaxResults must be from 1 to ${PAGE_MAX}`,
        ...withCode('InvalidMaxResultsException'),
      })
      .default(PAGE_MAX),
    NextToken: z.string().max(TOKEN_MAX).optional(),
  }),
  async answer(asked, { account, read }) {
    const { LookupAttributes, StartTime, EndTime, MaxResults, NextToken } = asked
    if (StartTime !== undefined && EndTime !== undefined && StartTime > EndTime)
      throw refused('InvalidTimeRangeException', 'StartTime must not be later than EndTime')
    const [attribute] = LookupAttributes
    const digest = digestOf(account, [attribute ?? null, StartTime ?? null, EndTime ?? null])
    const after = NextToken === undefined ? undefined : parseToken(NextToken, digest)
    const found = await read((tx) =>
      tx.auditEvents({
        owner: account,
        limit: MaxResults + 1,
        ...(StartTime === undefined ? {} : { sinceMs: StartTime.getTime() }),
        // Clients show whole seconds, and ask by what they were shown.
        ...(EndTime === undefined ? {} : { untilMs: endOfSecond(EndTime.getTime()) }),
        ...(after === undefined ? {} : { after }),
        ...(attribute === undefined
          ? {}
          : { attribute: { key: attribute.AttributeKey, value: attribute.AttributeValue } }),
      }),
    )
    const page = found.slice(0, MaxResults)
    const last = page.at(-1)
    const more = last !== undefined && found.length > page.length
    return {
      Events: page.map(viewOf),
      ...(more ? { NextToken: formatToken(last, digest) } : {}),
    }
  },
})

function endOfSecond(ms: number): number {
  return ms % 1000 === 0 ? ms + 999 : ms
}

function viewOf(event: AuditEvent) {
  const { id, name, isReadOnly, accessKey, atMs, source, user, resources } = event
  return {
    EventId: id,
    EventName: name,
    ReadOnly: String(isReadOnly),
    AccessKeyId: accessKey,
    EventTime: new Date(Math.trunc(atMs / 1000) * 1000),
    EventSource: source,
    Username: user,
    Resources: resources
      .slice(0, RESOURCES_SHOWN)
      .map((one) => ({ ResourceType: one.type, ResourceName: one.name })),
    CloudTrailEvent: event.event,
  }
}

/** A token is good for the same account and the same question, at any host. */
function digestOf(account: AccountId, question: readonly unknown[]): string {
  return hash('sha256', JSON.stringify([account, ...question]), 'hex').slice(0, 16)
}

function formatToken({ atMs, id }: AuditPosition, digest: string): string {
  return Buffer.from(JSON.stringify([TOKEN_VERSION, digest, atMs, id])).toString('base64url')
}

const tokenSchema = z.tuple([
  z.literal(TOKEN_VERSION),
  z.string(),
  z.int().min(0),
  z.string().max(64),
])

function parseToken(token: string, digest: string): AuditPosition {
  const { data } = tokenSchema.safeParse(
    parseJson(Buffer.from(token, 'base64url').toString('utf8')),
  )
  if (data?.[1] === digest) return { atMs: data[2], id: data[3] }
  throw refused(
    'InvalidNextTokenException',
    'The NextToken is not one that this question returned; start again without it',
  )
}
