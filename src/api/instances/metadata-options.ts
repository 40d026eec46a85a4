/**
 * Metadata options as parameters and in responses. Launches, changes and account settings use these
 * schemas and views.
 */
import type { InstanceMetadataOptionsResponse } from '@aws-sdk/client-ec2'
import type { z } from 'zod'
import { unavailable } from '../../model/errors.ts'
import type { AccountId } from '../../model/ids.ts'
import {
  type MetadataDefaults,
  type MetadataOptions,
  metadataFields,
  OLDER_METADATA,
} from '../../model/metadata-options.ts'
import type { ReadTx } from '../../store/store.ts'
import { onlySchema } from '../schemas.ts'

/** The options that a request may name. */
export const metadataShape = {
  HttpTokens: metadataFields.tokens.optional(),
  HttpEndpoint: metadataFields.endpoint.optional(),
  HttpPutResponseHopLimit: metadataFields.hopLimit.optional(),
  InstanceMetadataTags: metadataFields.tags.optional(),
  HttpProtocolIpv6: onlySchema('disabled', 'HttpProtocolIpv6: no IPv6'),
}

type Given = z.output<z.ZodObject<typeof metadataShape>>

/** The options that the request names. */
export function askedMetadata(given: Given): Partial<MetadataOptions> {
  const { HttpTokens, HttpEndpoint, HttpPutResponseHopLimit, InstanceMetadataTags } = given
  return {
    ...(HttpTokens === undefined ? {} : { tokens: HttpTokens }),
    ...(HttpEndpoint === undefined ? {} : { endpoint: HttpEndpoint }),
    ...(HttpPutResponseHopLimit === undefined ? {} : { hopLimit: HttpPutResponseHopLimit }),
    ...(InstanceMetadataTags === undefined ? {} : { tags: InstanceMetadataTags }),
  }
}

/** The options of an instance. Null: an older daemon launched it. */
export function metadataView(options: MetadataOptions | null): InstanceMetadataOptionsResponse {
  const { tokens, endpoint, hopLimit, tags } = options ?? OLDER_METADATA
  return {
    State: 'applied',
    HttpTokens: tokens,
    HttpPutResponseHopLimit: hopLimit,
    HttpEndpoint: endpoint,
    HttpProtocolIpv6: 'disabled',
    InstanceMetadataTags: tags,
  }
}

/** The options of the account's launches that name none. */
export async function metadataDefaultsOf(
  tx: ReadTx,
  account: AccountId,
): Promise<MetadataDefaults> {
  const found = await tx.account(account)
  // Whoever asks has one: it cannot be read, or is another account's now.
  if (found === undefined)
    throw unavailable(
      'The record of this account cannot be read, so its defaults are not known; `atoll status` names it',
    )
  return found.metadata
}
