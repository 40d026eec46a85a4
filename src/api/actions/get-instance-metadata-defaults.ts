/** GetInstanceMetadataDefaults: the metadata options of an account's launches that name none. */
import type { GetInstanceMetadataDefaultsResult } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { METADATA_DEFAULTS } from '../../model/metadata-options.ts'
import { metadataDefaultsOf } from '../instances/metadata-options.ts'
import { readAction } from '../read.ts'

/** Options that the account has not set are left out, except HttpTokens. */
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
