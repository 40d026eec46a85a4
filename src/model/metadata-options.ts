/**
 * How an instance may read its metadata, in EC2's words. Pure.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-options.html
 */

export interface MetadataOptions {
  /** `required`: only with a token (IMDSv2); `optional`: without one, too (IMDSv1). */
  readonly tokens: 'optional' | 'required'
  readonly endpoint: 'enabled' | 'disabled'
  /**
   * IP TTL of the answers: how many hops behind the instance's own network stack they reach. From 1
   * to 64.
   */
  readonly hopLimit: number
  /** Whether the instance's tags are among its metadata. */
  readonly tags: 'enabled' | 'disabled'
}

/** What an account sets for its launches that do not say; null: it has no preference. */
export type MetadataDefaults = {
  readonly [Name in keyof MetadataOptions]: MetadataOptions[Name] | null
}

/** The highest hop limit. */
export const HOP_LIMIT_MAX = 64

/**
 * What counts where neither a launch nor its account says anything. Tokens are required, because
 * IMDSv1 hands an instance's secrets to whoever makes a program on it fetch a URL.
 */
export const METADATA_DEFAULTS: MetadataOptions = {
  tokens: 'required',
  endpoint: 'enabled',
  hopLimit: 1,
  tags: 'disabled',
}

/**
 * What instances have that an older daemon launched: it told them all of this, and they may rely on
 * it.
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

/** The options of a launch that asks for some of them. */
export function launchMetadata(
  asked: Partial<MetadataOptions>,
  account: MetadataDefaults,
): MetadataOptions {
  return {
    tokens: asked.tokens ?? account.tokens ?? METADATA_DEFAULTS.tokens,
    endpoint: asked.endpoint ?? account.endpoint ?? METADATA_DEFAULTS.endpoint,
    hopLimit: asked.hopLimit ?? account.hopLimit ?? METADATA_DEFAULTS.hopLimit,
    tags: asked.tags ?? account.tags ?? METADATA_DEFAULTS.tags,
  }
}
