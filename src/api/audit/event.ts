/**
 * The record of one call, in CloudTrail's form. Pure.
 * https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
 */
import {
  type AuditEvent,
  type AuditKind,
  type AuditResource,
  OPERATOR,
  STRANGERS,
} from '../../model/audit.ts'
import { isoSeconds } from '../../model/iso-time.ts'
import { callerArn } from '../accounts/caller-arn.ts'
import type { Fault } from '../faults.ts'
import { keptAnswer, keptParameters, withoutSecrets } from './parameters.ts'
import type { AuditedCall, AuditedCaller, OperatorOrder } from './port.ts'

/** Longest user agent, action that does not exist, and message of an error, in characters. */
const AGENT_LIMIT = 256
const NAME_LIMIT = 64
const KEY_LIMIT = 128
const MESSAGE_LIMIT = 1024
/** Resources in the record itself. All can be looked up. */
const RESOURCES_SHOWN = 20
const VERSION = '1.11'

/** The host that answered. */
export interface AuditPlace {
  readonly region: string
  readonly name: string
}

/** The record. */
export function auditEventOf(call: AuditedCall, place: AuditPlace, kind: AuditKind): AuditEvent {
  const { wire, caller, fault, atMs } = call
  const asked = wire === undefined ? undefined : keptParameters(wire.input, call.input)
  const answered = keptAnswer(wire?.output, call.output)
  const resources = distinct([...answered.resources, ...(asked?.resources ?? [])])
  const source = `${wire?.service.name ?? 'ec2'}.amazonaws.com`
  const name = printable(call.action ?? '', NAME_LIMIT)
  const owner = caller?.account ?? STRANGERS
  const accessKey = printable(call.accessKey, KEY_LIMIT)
  const event = {
    eventVersion: VERSION,
    userIdentity: identityOf(caller, accessKey),
    eventTime: isoSeconds(atMs),
    eventSource: source,
    eventName: name,
    awsRegion: place.region,
    sourceIPAddress: call.source,
    userAgent: printable(call.agent, AGENT_LIMIT),
    ...(fault === undefined
      ? {}
      : {
          errorCode: errorCodeOf(fault, source),
          errorMessage: shortened(withoutSecrets(fault.message, asked?.secrets ?? [])),
        }),
    requestParameters: asked?.shown ?? null,
    responseElements: answered.shown,
    additionalEventData: { host: place.name },
    requestID: call.requestId,
    eventID: call.id,
    readOnly: call.isReadOnly,
    resources: resources.slice(0, RESOURCES_SHOWN).map(({ type, name: ARN }) => ({ type, ARN })),
    eventType: 'AwsApiCall',
    managementEvent: true,
    eventCategory: 'Management',
    ...(caller === undefined ? {} : { recipientAccountId: caller.account }),
  }
  return {
    ...{ id: call.id, owner, atMs, kind, name, source, accessKey, resources },
    user: caller?.role?.session ?? caller?.user ?? '',
    isReadOnly: call.isReadOnly,
    event: JSON.stringify(event),
  }
}

/** An order of the operator's command, in the same form. */
export function operatorEventOf(
  order: OperatorOrder & { readonly id: string; readonly atMs: number },
  place: AuditPlace,
): AuditEvent {
  const { id, atMs, error } = order
  const user = printable(order.actor, NAME_LIMIT)
  const source = 'operator.atoll'
  const event = {
    eventVersion: VERSION,
    userIdentity: { type: 'Operator', userName: user },
    eventTime: isoSeconds(atMs),
    ...{ eventSource: source, eventName: order.name, awsRegion: place.region },
    ...{ sourceIPAddress: place.name, userAgent: 'atoll' },
    ...(error === undefined ? {} : { errorCode: 'Client.Refused', errorMessage: shortened(error) }),
    ...{ requestParameters: order.parameters, responseElements: null },
    additionalEventData: { host: place.name },
    ...{ eventID: id, readOnly: false, eventType: 'AtollOrder', managementEvent: true },
    eventCategory: 'Management',
  }
  return {
    ...{ id, owner: OPERATOR, atMs, kind: 'other', name: order.name, source, user },
    ...{ accessKey: '', isReadOnly: false, resources: [], event: JSON.stringify(event) },
  }
}

function identityOf(caller: AuditedCaller | undefined, accessKeyId: string): object {
  if (caller === undefined) return { type: 'Unknown', accessKeyId }
  const { account: accountId, user, userId, role, federated } = caller
  const who = { arn: callerArn(caller), accountId, accessKeyId }
  if (federated !== undefined) {
    const { federated: _one, ...giver } = caller
    const sessionIssuer = {
      ...{ type: 'IAMUser', principalId: userId ?? user, arn: callerArn(giver), accountId },
      userName: user,
    }
    return {
      ...{ type: 'FederatedUser', principalId: `${accountId}:${federated.name}`, ...who },
      sessionContext: { sessionIssuer, attributes: {} },
    }
  }
  if (role === undefined) {
    const session = caller.isTemporary === true ? { sessionContext: { attributes: {} } } : {}
    return { type: 'IAMUser', principalId: userId ?? user, ...who, userName: user, ...session }
  }
  const { id: principalId, name: userName, session } = role
  const sessionIssuer = { type: 'Role', principalId, accountId, userName }
  return {
    ...{ type: 'AssumedRole', principalId: `${principalId}:${session}`, ...who },
    sessionContext: { sessionIssuer, attributes: {} },
  }
}

/** EC2's codes say in CloudTrail whose fault it is. */
function errorCodeOf({ kind, code }: Pick<Fault, 'kind' | 'code'>, source: string): string {
  if (!source.startsWith('ec2.')) return code
  return `${kind === 'refused' ? 'Client' : 'Server'}.${code}`
}

/** On one line, of printable ASCII. */
function printable(text: string, limit: number): string {
  return text.slice(0, limit).replaceAll(/[^\x20-\x7e]/g, '?')
}

function shortened(text: string): string {
  return text.length <= MESSAGE_LIMIT ? text : `${text.slice(0, MESSAGE_LIMIT)}…`
}

function distinct(resources: readonly AuditResource[]): readonly AuditResource[] {
  return [...new Map(resources.map((one) => [`${one.type} ${one.name}`, one])).values()]
}
