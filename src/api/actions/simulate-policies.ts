/**
 * SimulateCustomPolicy and SimulatePrincipalPolicy: what policies would say of requests, without
 * making them; and ListPoliciesGrantingServiceAccess.
 */
import { z } from 'zod'
import { nextTurn } from '../../lib/clock.ts'
import { refused } from '../../model/errors.ts'
import type { AccountId } from '../../model/ids.ts'
import { parsePolicy } from '../../model/policy.ts'
import type { ReadTx } from '../../store/store.ts'
import { type PolicyHolder, policiesOfHolder, requireHolder } from '../accounts/policy-holders.ts'
import {
  grantsOf,
  type SimulatedContext,
  type SimulatedPolicy,
  simulate,
  simulatedContext,
} from '../accounts/simulation.ts'
import { pageOf, pageShape } from '../accounts/users.ts'
import { readAction } from '../read.ts'
import { onlySchema, withCode } from '../schemas.ts'

/** Most policies that a request brings along, and most entries of each other list. */
const POLICIES_MAX = 10
const LIST_MAX = 1000
/** Results of one answer. IAM, too, may answer with fewer than `MaxItems`. */
const RESULTS_MAX = 100
const SERVICES_MAX = 200
/** Arn of a resource or of who asks. */
const ARN_MAX = 512

const arnSchema = z.string().min(1).max(ARN_MAX)
const NO_BOUNDARIES = 'there are no permissions boundaries'
const NO_RESOURCE_POLICIES = 'resources have no policies'

const simulationShape = {
  ...pageShape,
  ActionNames: z
    .array(
      z.string().refine((name) => /^[\w-]{1,64}:[\w]{1,64}$/.test(name), {
        error: 'Invalid Action Name: must be service:action, such as ec2:RunInstances',
        ...withCode('InvalidInput'),
      }),
    )
    .min(1)
    .max(LIST_MAX),
  ResourceArns: z.array(arnSchema).max(LIST_MAX).default([]),
  CallerArn: arnSchema.optional(),
  ContextEntries: z
    .array(
      z.strictObject({
        ContextKeyName: z.string().min(5).max(256),
        ContextKeyValues: z.array(z.string().max(ARN_MAX)).max(LIST_MAX).default([]),
        ContextKeyType: z.string().max(64).optional(),
      }),
    )
    .max(LIST_MAX)
    .default([]),
  PermissionsBoundaryPolicyInputList: onlySchema(
    '',
    `PermissionsBoundaryPolicyInputList: ${NO_BOUNDARIES}`,
  ),
  ResourcePolicy: onlySchema('', `ResourcePolicy: ${NO_RESOURCE_POLICIES}`),
  ResourceOwner: onlySchema('', `ResourceOwner: ${NO_RESOURCE_POLICIES}`),
  ResourceHandlingOption: onlySchema('', 'ResourceHandlingOption: name the resources instead'),
}
const documentsSchema = z.array(z.string()).max(POLICIES_MAX)

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulateCustomPolicy.html */
export const simulateCustomPolicy = readAction({
  name: 'SimulateCustomPolicy',
  input: z.strictObject({ ...simulationShape, PolicyInputList: documentsSchema.min(1) }),
  async answer(asked, { account, now }) {
    const asker = askerOf(account, asked.CallerArn, now)
    return await results(given(asked.PolicyInputList), asked, asker)
  },
})

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html */
export const simulatePrincipalPolicy = readAction({
  name: 'SimulatePrincipalPolicy',
  input: z.strictObject({
    ...simulationShape,
    PolicySourceArn: arnSchema,
    PolicyInputList: documentsSchema.default([]),
  }),
  async answer(asked, { account, now, read }) {
    const { PolicySourceArn: source, PolicyInputList, CallerArn } = asked
    const own = await read(async (tx) => {
      const holder = await requireHolder(tx, account, source)
      return (await heldBy(tx, holder)).map(({ policy }) => policy)
    })
    const asker = askerOf(account, CallerArn ?? source, now)
    return await results([...own, ...given(PolicyInputList)], asked, asker)
  },
})

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPoliciesGrantingServiceAccess.html */
export const listPoliciesGrantingServiceAccess = readAction({
  name: 'ListPoliciesGrantingServiceAccess',
  input: z.strictObject({
    Marker: pageShape.Marker,
    Arn: arnSchema,
    ServiceNamespaces: z
      .array(z.string().regex(/^[\w-]{1,64}$/))
      .min(1)
      .max(SERVICES_MAX),
  }),
  async answer({ Arn, ServiceNamespaces, Marker }, { account, read }) {
    const held = await read(async (tx) => await heldBy(tx, await requireHolder(tx, account, Arn)))
    const { items, more } = pageOf([...new Set(ServiceNamespaces)], (name) => name, { Marker })
    return {
      PoliciesGrantingServiceAccess: items.map((ServiceNamespace) => ({
        ServiceNamespace,
        Policies: held
          .filter(({ policy }) => grantsOf(policy.policy, ServiceNamespace.toLowerCase()))
          .map(({ view }) => view),
      })),
      ...more,
    }
  },
})

/** The policies of somebody, also those of its groups. */
async function heldBy(tx: ReadTx, holder: PolicyHolder) {
  const held = await policiesOfHolder(tx, holder)
  return held.map(({ owner, name, arn, policy }) => {
    const [type = '', entity = ''] = owner.split('/')
    const isCloud = arn?.startsWith('arn:aws:iam::aws:') === true
    const from = arn === null ? type : isCloud ? 'aws-managed' : 'user-managed'
    const simulated = {
      id: arn === null ? `${type}_${entity}_${name}` : name,
      type: from as SimulatedPolicy['type'],
      policy,
    }
    const view =
      arn === null
        ? {
            PolicyName: name,
            PolicyType: 'INLINE' as const,
            EntityType: type.toUpperCase() as 'USER' | 'ROLE' | 'GROUP',
            EntityName: entity,
          }
        : { PolicyName: name, PolicyType: 'MANAGED' as const, PolicyArn: arn }
    return { policy: simulated, view }
  })
}

/** The policies that a request brings along. Errors: `InvalidInput`. */
function given(documents: readonly string[]): readonly SimulatedPolicy[] {
  return documents.map((document, at) => {
    const id = `PolicyInputList.${at + 1}`
    const parsed = parsePolicy(document)
    if ('problem' in parsed) throw refused('InvalidInput', `${id}: ${parsed.problem}`)
    return { id, type: 'user', policy: parsed.policy }
  })
}

/** Who would ask: a user, or nobody in particular. */
function askerOf(account: AccountId, arn: string | undefined, now: string) {
  const [, name] =
    /^arn:aws:iam::\d{12}:user\/(?:[^\s]*\/)?([\w+=,.@-]{1,64})$/.exec(arn ?? '') ?? []
  return {
    context: {
      'aws:currenttime': now,
      'aws:principalaccount': account,
      'aws:principalarn': arn,
      'aws:username': name,
    },
    variables: { 'aws:username': name ?? '\uffff', 'aws:PrincipalAccount': account },
  }
}

interface AskedSimulation {
  readonly Marker?: string | undefined
  readonly MaxItems?: number | undefined
  readonly ActionNames: readonly string[]
  readonly ResourceArns: readonly string[]
  readonly ContextEntries: Parameters<typeof simulatedContext>[0]
}

/** A page of results, in the order of actions and resources. */
async function results(
  policies: readonly SimulatedPolicy[],
  { ActionNames, ResourceArns, ContextEntries, Marker, MaxItems }: AskedSimulation,
  asker: Parameters<typeof simulatedContext>[1],
) {
  const context: SimulatedContext = simulatedContext(ContextEntries, asker)
  const resources = ResourceArns.length === 0 ? ['*'] : ResourceArns
  const total = ActionNames.length * resources.length
  const from = positionOf(Marker)
  const to = Math.min(total, from + Math.min(MaxItems ?? RESULTS_MAX, RESULTS_MAX))
  const EvaluationResults = []
  for (let at = from; at < to; at += 1) {
    const action = ActionNames[Math.floor(at / resources.length)] ?? ''
    const resource = resources[at % resources.length] ?? '*'
    EvaluationResults.push(simulate(policies, { action, resource }, context))
    // Each may take some milliseconds, by policies that their author made slow to evaluate.
    await nextTurn()
  }
  return {
    EvaluationResults,
    IsTruncated: to < total,
    ...(to < total ? { Marker: Buffer.from(String(to)).toString('base64url') } : {}),
  }
}

/** Errors: `InvalidInput`. */
function positionOf(marker: string | undefined): number {
  if (marker === undefined) return 0
  const text = Buffer.from(marker, 'base64url').toString('latin1')
  if (/^\d{1,7}$/.test(text)) return Number(text)
  throw refused('InvalidInput', 'Invalid Marker: it is none that this action has answered with')
}
