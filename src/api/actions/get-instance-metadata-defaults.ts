/**
 * GetInstanceMetadataDefaults: what an account's launches get that do not say how instances may
 * read their metadata.
 */
import type { GetInstanceMetadataDefaultsResult } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { METADATA_DEFAULTS } from '../../model/metadata-options.ts'
import { metadataDefaultsOf } from '../metadata-options.ts'
import { readAction } from '../read.ts'

/** What the account has not set is left out, but for the tokens, which always count. */
export const getInstanceMetadataDefaults = readAction({
  name: 'GetInstanceMetadataDefaults',
  input: z.strictObject({}),
  async answer(_asked, { account, read }): Promise<GetInstanceMetadataDefaultsResult> {
    const set = await read((tx) => metadataDefaultsOf(tx, account))
    return {
      AccountLevel: {
        HttpTokens: set.tokens ?? METADATA_DEFAULTS.tokens,
        ...(set.endpoint === null ? {} : { HttpEndpoint: set.endpoint }),
        ...(set.hopLimit === null ? {} : { HttpPutResponseHopLimit: set.hopLimit }),
        ...(set.tags === null ? {} : { InstanceMetadataTags: set.tags }),
      },
    }
  },
})
