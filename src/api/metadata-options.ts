/**
 * Metadata options as parameters and in answers: their schemas and views, shared by launches,
 * changes and account settings.
 */
import type { InstanceMetadataOptionsResponse } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { bug } from '../model/errors.ts'
import type { AccountId } from '../model/ids.ts'
import {
  HOP_LIMIT_MAX,
  type MetadataDefaults,
  type MetadataOptions,
  OLDER_METADATA,
} from '../model/metadata-options.ts'
import type { ReadTx } from '../store/store.ts'
import { onlySchema } from './schemas.ts'

/** Members of the options that a request may name. */
export const metadataShape = {
  HttpTokens: z.enum(['optional', 'required']).optional(),
  HttpEndpoint: z.enum(['enabled', 'disabled']).optional(),
  HttpPutResponseHopLimit: z.int().min(1).max(HOP_LIMIT_MAX).optional(),
  InstanceMetadataTags: z.enum(['enabled', 'disabled']).optional(),
  HttpProtocolIpv6: onlySchema('disabled', 'HttpProtocolIpv6: no IPv6'),
}

type Given = z.output<z.ZodObject<typeof metadataShape>>

/** The options that were named, and no others. */
export function askedMetadata(given: Given): Partial<MetadataOptions> {
  const { HttpTokens, HttpEndpoint, HttpPutResponseHopLimit, InstanceMetadataTags } = given
  return {
    ...(HttpTokens === undefined ? {} : { tokens: HttpTokens }),
    ...(HttpEndpoint === undefined ? {} : { endpoint: HttpEndpoint }),
    ...(HttpPutResponseHopLimit === undefined ? {} : { hopLimit: HttpPutResponseHopLimit }),
    ...(InstanceMetadataTags === undefined ? {} : { tags: InstanceMetadataTags }),
  }
}

/** The options of an instance; null: an older daemon launched it. */
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

/** What the account's launches get that do not say. */
export async function metadataDefaultsOf(
  tx: ReadTx,
  account: AccountId,
): Promise<MetadataDefaults> {
  const found = (await tx.accounts()).find(({ id }) => id === account)
  if (found === undefined) throw bug('the caller’s account has no record', { account })
  return found.metadata
}
