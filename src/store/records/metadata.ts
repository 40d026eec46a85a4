/** Metadata options as columns of accounts and instances. Pure. */
import {
  completeMetadata,
  type MetadataDefaults,
  type MetadataOptions,
  metadataFields,
  OLDER_METADATA,
} from '../../model/metadata-options.ts'

/** A column for each option. Null: not set. */
export interface MetadataColumns {
  readonly metadataTokens: MetadataOptions['tokens'] | null
  readonly metadataEndpoint: MetadataOptions['endpoint'] | null
  readonly metadataHopLimit: number | null
  readonly metadataTags: MetadataOptions['tags'] | null
}

/** The columns' part of a row's schema. */
export const metadataSchema = {
  metadataTokens: metadataFields.tokens.nullable(),
  metadataEndpoint: metadataFields.endpoint.nullable(),
  metadataHopLimit: metadataFields.hopLimit.nullable(),
  metadataTags: metadataFields.tags.nullable(),
}

/** The columns for these options. Null: none is set. */
export function metadataColumns(options: MetadataDefaults | null): MetadataColumns {
  return {
    metadataTokens: options?.tokens ?? null,
    metadataEndpoint: options?.endpoint ?? null,
    metadataHopLimit: options?.hopLimit ?? null,
    metadataTags: options?.tags ?? null,
  }
}

/** The options in the columns. */
export function metadataOf(row: MetadataColumns): MetadataDefaults {
  return {
    tokens: row.metadataTokens,
    endpoint: row.metadataEndpoint,
    hopLimit: row.metadataHopLimit,
    tags: row.metadataTags,
  }
}

/**
 * The options of an instance, or null when an older daemon wrote its row. If only some are missing,
 * they are those of an older daemon.
 */
export function instanceMetadata(row: MetadataColumns): MetadataOptions | null {
  const options = metadataOf(row)
  if (Object.values(options).every((option) => option === null)) return null
  return completeMetadata(options, OLDER_METADATA)
}
