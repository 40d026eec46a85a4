/**
 * How an instance may read its metadata, as EC2 defines it. Pure.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-options.html
 */
import { z } from 'zod'

/** The highest hop limit. */
export const HOP_LIMIT_MAX = 64

/** The schema of each option. */
export const metadataFields = {
  tokens: z.enum(['optional', 'required']),
  endpoint: z.enum(['enabled', 'disabled']),
  hopLimit: z.int().min(1).max(HOP_LIMIT_MAX),
  tags: z.enum(['enabled', 'disabled']),
}

export interface MetadataOptions {
  /** `required`: only with a token (IMDSv2). `optional`: also without one (IMDSv1). */
  readonly tokens: z.output<typeof metadataFields.tokens>
  readonly endpoint: z.output<typeof metadataFields.endpoint>
  /** IP TTL of the replies, 1 to 64: the number of hops they may travel in the instance. */
  readonly hopLimit: number
  /** Whether the metadata contain the instance's tags. */
  readonly tags: z.output<typeof metadataFields.tags>
}

/** An account's options for launches that name none. Null: no preference. */
export type MetadataDefaults = {
  readonly [Name in keyof MetadataOptions]: MetadataOptions[Name] | null
}

/**
 * The options when neither the launch nor its account names any. Tokens are required: with IMDSv1,
 * anybody who makes a program on the instance fetch a URL can get the instance's secrets.
 */
export const METADATA_DEFAULTS: MetadataOptions = {
  tokens: 'required',
  endpoint: 'enabled',
  hopLimit: 1,
  tags: 'disabled',
}

/**
 * The options of instances that an older daemon launched. That daemon had no options, and the
 * instances may rely on how it behaved.
 */
export const OLDER_METADATA: MetadataOptions = {
  tokens: 'optional',
  endpoint: 'enabled',
  hopLimit: HOP_LIMIT_MAX,
  tags: 'enabled',
}

/** An account that has set nothing. */
export const NO_PREFERENCE: MetadataDefaults = {
  tokens: null,
  endpoint: null,
  hopLimit: null,
  tags: null,
}

/** The options of a launch that names some of them. */
export function launchMetadata(
  asked: Partial<MetadataOptions>,
  account: MetadataDefaults,
): MetadataOptions {
  return completeMetadata(asked, completeMetadata(account, METADATA_DEFAULTS))
}

/** The options that are set, and the defaults for the others. */
export function completeMetadata(
  options: Partial<MetadataDefaults>,
  defaults: MetadataOptions,
): MetadataOptions {
  return {
    tokens: options.tokens ?? defaults.tokens,
    endpoint: options.endpoint ?? defaults.endpoint,
    hopLimit: options.hopLimit ?? defaults.hopLimit,
    tags: options.tags ?? defaults.tags,
  }
}
