/**
 * The actions on policies of whoever can have some: users, groups and roles have the same seven.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/
 */
import { z } from 'zod'
import type { AccountId } from '../../model/ids.ts'
import type { ReadTx } from '../../store/store.ts'
import type { Action } from '../action.ts'
import { changeAction } from '../change.ts'
import { readAction } from '../read.ts'
import {
  attachedView,
  attachManaged,
  detachManaged,
  inlineView,
  policiesOf,
  putInline,
  refuseMalformed,
  requireInline,
} from './identity-policies.ts'
import { pageShape, pathPrefixSchema, policyArnSchema, policyNameSchema } from './users.ts'

/** Who has the policies. */
interface Holder {
  readonly kind: 'User' | 'Group' | 'Role'
  /** Of their names. */
  readonly schema: z.ZodType<string>
  /** Errors: `NoSuchEntity`. */
  readonly require: (tx: ReadTx, account: AccountId, name: string) => Promise<unknown>
  /** The same before it gets another policy, or loses a managed one. */
  readonly requireChangeable?: Holder['require']
}

/** The actions, by what they do. */
interface PolicyActions {
  /** Sets an inline policy. What of it is not understood is refused. */
  readonly putInline: Action
  /** An inline policy. Its document is URL-encoded, as IAM's are. */
  readonly getInline: Action
  /** The names of inline policies. */
  readonly listInline: Action
  readonly deleteInline: Action
  /** Attaches a policy of the cloud, or one that the account has made. */
  readonly attach: Action
  readonly detach: Action
  readonly listAttached: Action
}

/** The actions on policies of these. */
export function policyActions(holder: Holder): PolicyActions {
  return { ...inlineActions(holder), ...managedActions(holder) }
}

function partsOf({ kind, schema }: Holder) {
  const field = `${kind}Name`
  // The type of the parameters does not have it: `nameOf` finds it.
  const ofHolder: object = { [field]: schema }
  const nameOf = (asked: object) => (asked as Readonly<Record<string, string>>)[field] ?? ''
  const ownerKind = kind.toLowerCase() as Lowercase<Holder['kind']>
  const ownerOf = (account: AccountId, asked: object) =>
    ({ account, owner: `${ownerKind}/${nameOf(asked)}` }) as const
  return { ofHolder, nameOf, ownerOf }
}

function inlineActions(holder: Holder) {
  const { kind, require, requireChangeable = require } = holder
  const { ofHolder, nameOf, ownerOf } = partsOf(holder)
  const named = { ...ofHolder, PolicyName: policyNameSchema }
  return {
    putInline: changeAction({
      name: `Put${kind}Policy`,
      input: z.strictObject({ ...named, PolicyDocument: z.string() }),
      prepare(asked) {
        refuseMalformed(asked.PolicyDocument)
        return asked
      },
      async change(tx, asked, { account }) {
        await tx.takeTurn(account)
        await requireChangeable(tx, account, nameOf(asked))
        const { PolicyName: name, PolicyDocument: document } = asked
        await putInline(tx, ownerOf(account, asked), { name, document })
      },
    }),
    getInline: readAction({
      name: `Get${kind}Policy`,
      input: z.strictObject(named),
      async answer(asked, { account, read }) {
        const { document } = await read(async (tx) => {
          await require(tx, account, nameOf(asked))
          return await requireInline(tx, ownerOf(account, asked), asked.PolicyName)
        })
        return { ...asked, PolicyDocument: encodeURIComponent(document) }
      },
    }),
    listInline: readAction({
      name: `List${kind}Policies`,
      input: z.strictObject({ ...pageShape, ...ofHolder }),
      async answer(asked, { account, read }) {
        const policies = await read(async (tx) => {
          await require(tx, account, nameOf(asked))
          return await policiesOf(tx, ownerOf(account, asked), 'inline')
        })
        return inlineView(policies, asked)
      },
    }),
    deleteInline: changeAction({
      name: `Delete${kind}Policy`,
      input: z.strictObject(named),
      async change(tx, asked, { account }) {
        await require(tx, account, nameOf(asked))
        await tx.deleteIdentityPolicy(
          await requireInline(tx, ownerOf(account, asked), asked.PolicyName),
        )
      },
    }),
  }
}

function managedActions(holder: Holder) {
  const { kind, require, requireChangeable = require } = holder
  const { ofHolder, nameOf, ownerOf } = partsOf(holder)
  const managed = z.strictObject({ ...ofHolder, PolicyArn: policyArnSchema })
  return {
    attach: changeAction({
      name: `Attach${kind}Policy`,
      input: managed,
      async change(tx, asked, { account }) {
        await tx.takeTurn(account)
        await requireChangeable(tx, account, nameOf(asked))
        await attachManaged(tx, ownerOf(account, asked), asked.PolicyArn)
      },
    }),
    detach: changeAction({
      name: `Detach${kind}Policy`,
      input: managed,
      async change(tx, asked, { account }) {
        await requireChangeable(tx, account, nameOf(asked))
        await detachManaged(tx, ownerOf(account, asked), asked.PolicyArn)
      },
    }),
    listAttached: readAction({
      name: `ListAttached${kind}Policies`,
      input: z.strictObject({ ...pageShape, ...ofHolder, PathPrefix: pathPrefixSchema }),
      async answer(asked, { account, read }) {
        const policies = await read(async (tx) => {
          await require(tx, account, nameOf(asked))
          return await policiesOf(tx, ownerOf(account, asked), 'managed')
        })
        return attachedView(policies, asked)
      },
    }),
  }
}
