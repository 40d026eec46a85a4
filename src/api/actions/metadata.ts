/**
 * How instances may read their metadata: ModifyInstanceMetadataOptions for one, Get- and ModifyInstanceMetadataDefaults for what an
 * account's launches get that do not say.
 */
import type { GetInstanceMetadataDefaultsResult } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { METADATA_DEFAULTS } from '../../model/metadata-options.ts'
import type { Action } from '../action.ts'
import { metadataDefaultsOf } from '../metadata-options.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { dryRunShape } from '../schemas.ts'

const getSchema = z.strictObject(dryRunShape)

/** GetInstanceMetadataDefaults. What the account has not set is left out, but for the tokens, which always count. */
export const getInstanceMetadataDefaults: Action = {
  name: 'GetInstanceMetadataDefaults',
  async run(call): Promise<GetInstanceMetadataDefaultsResult> {
    parseInput(getSchema, call.input)
    dryRun(call)
    const set = await call.parts.store.read((tx) => metadataDefaultsOf(tx, call.caller.account))
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
