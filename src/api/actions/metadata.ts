/**
 * How instances may read their metadata: ModifyInstanceMetadataOptions for one, Get- and ModifyInstanceMetadataDefaults for what an
 * account's launches get that do not say.
 */
import type {
  GetInstanceMetadataDefaultsResult,
  ModifyInstanceMetadataDefaultsResult,
  ModifyInstanceMetadataOptionsResult,
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { bug, refused } from '../../model/errors.ts'
import type { AccountId } from '../../model/ids.ts'
import {
  HOP_LIMIT_MAX,
  METADATA_DEFAULTS,
  type MetadataDefaults,
  OLDER_METADATA,
} from '../../model/metadata-options.ts'
import type { ReadTx } from '../../store/store.ts'
import type { Action } from '../action.ts'
import { askedMetadata, metadataShape, metadataView } from '../metadata-options.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { dryRunShape, idSchema, notFound, onlySchema } from '../schemas.ts'

const modifySchema = z.strictObject({
  ...dryRunShape,
  ...metadataShape,
  InstanceId: idSchema('i', 'InvalidInstanceID.Malformed'),
})

/** ModifyInstanceMetadataOptions: what is not named stays as it is. The instance's host goes by it within one pass. */
export const modifyInstanceMetadataOptions: Action = {
  name: 'ModifyInstanceMetadataOptions',
  async run(call): Promise<ModifyInstanceMetadataOptionsResult> {
    const { InstanceId: id, ...given } = parseInput(modifySchema, call.input)
    const asked = askedMetadata(given)
    if (Object.keys(asked).length === 0)
      throw refused(
        'MissingParameter',
        'Name at least one of HttpTokens, HttpEndpoint, HttpPutResponseHopLimit and InstanceMetadataTags',
      )
    const { store, bus } = call.parts
    const { account } = call.caller
    const { host, metadata } = await store.transaction(async (tx) => {
      const [instance] = await tx.instances({ account, ids: [id] })
      if (instance === undefined) throw notFound('InvalidInstanceID.NotFound', 'instance ID', [id])
      if (instance.wanted === 'terminate')
        throw refused('IncorrectInstanceState', `The instance '${id}' is being terminated`)
      dryRun(call)
      const metadata = { ...(instance.metadata ?? OLDER_METADATA), ...asked }
      await tx.updateInstance(id, { metadata })
      await tx.advanceGeneration(instance.host)
      return { host: instance.host, metadata }
    })
    bus.ring(host)
    return {
      InstanceId: id,
      InstanceMetadataOptions: { ...metadataView(metadata), State: 'pending' },
    }
  },
}

const getSchema = z.strictObject(dryRunShape)

/** GetInstanceMetadataDefaults. What the account has not set is left out, but for the tokens, which always count. */
export const getInstanceMetadataDefaults: Action = {
  name: 'GetInstanceMetadataDefaults',
  async run(call): Promise<GetInstanceMetadataDefaultsResult> {
    parseInput(getSchema, call.input)
    dryRun(call)
    const set = await call.parts.store.read((tx) => defaultsOf(tx, call.caller.account))
    return {
      AccountLevel: {
        HttpTokens: set.tokens ?? METADATA_DEFAULTS.tokens,
        ...(set.endpoint === null ? {} : { HttpEndpoint: set.endpoint }),
        ...(set.hopLimit === null ? {} : { HttpPutResponseHopLimit: set.hopLimit }),
        ...(set.tags === null ? {} : { InstanceMetadataTags: set.tags }),
      },
    }
  },
}

/** How clients take a setting back, in words and as a number. */
const NONE = 'no-preference'
const NO_LIMIT = -1

const defaultsSchema = z.strictObject({
  ...dryRunShape,
  HttpTokens: z.enum(['optional', 'required', NONE]).optional(),
  HttpEndpoint: z.enum(['enabled', 'disabled', NONE]).optional(),
  HttpPutResponseHopLimit: z
    .int()
    .refine((limit) => limit === NO_LIMIT || (limit >= 1 && limit <= HOP_LIMIT_MAX), {
      error: `from 1 to ${HOP_LIMIT_MAX}, or ${NO_LIMIT} for no preference`,
    })
    .optional(),
  InstanceMetadataTags: z.enum(['enabled', 'disabled', NONE]).optional(),
  HttpTokensEnforced: onlySchema(
    'disabled',
    'HttpTokensEnforced: a launch may always ask for less than the default; use disabled',
  ),
})

/** ModifyInstanceMetadataDefaults: for launches from now on. What is not named stays as it is. */
export const modifyInstanceMetadataDefaults: Action = {
  name: 'ModifyInstanceMetadataDefaults',
  async run(call): Promise<ModifyInstanceMetadataDefaultsResult> {
    const given = parseInput(defaultsSchema, call.input)
    const { account } = call.caller
    await call.parts.store.transaction(async (tx) => {
      const before = await defaultsOf(tx, account)
      dryRun(call)
      const { HttpTokens, HttpEndpoint, HttpPutResponseHopLimit, InstanceMetadataTags } = given
      await tx.updateAccount(account, {
        tokens: setTo(HttpTokens, NONE, before.tokens),
        endpoint: setTo(HttpEndpoint, NONE, before.endpoint),
        hopLimit: setTo(HttpPutResponseHopLimit, NO_LIMIT, before.hopLimit),
        tags: setTo(InstanceMetadataTags, NONE, before.tags),
      })
    })
    return { Return: true }
  },
}

function setTo<Value, None>(
  given: Value | None | undefined,
  none: None,
  before: Value | null,
): Value | null {
  if (given === undefined) return before
  return given === none ? null : (given as Value)
}

async function defaultsOf(tx: ReadTx, account: AccountId): Promise<MetadataDefaults> {
  const found = (await tx.accounts()).find(({ id }) => id === account)
  if (found === undefined) throw bug('the caller’s account has no record', { account })
  return found.metadata
}
