/** The options of metadata as columns of accounts and of instances. Pure. */
import { z } from 'zod'
import {
  HOP_LIMIT_MAX,
  type MetadataDefaults,
  type MetadataOptions,
  OLDER_METADATA,
} from '../../model/metadata-options.ts'

/** One column each; null: nothing was said. */
export interface MetadataColumns {
  readonly metadataTokens: MetadataOptions['tokens'] | null
  readonly metadataEndpoint: MetadataOptions['endpoint'] | null
  readonly metadataHopLimit: number | null
  readonly metadataTags: MetadataOptions['tags'] | null
}

/** Their part of a row's schema. */
export const metadataSchema = {
  metadataTokens: z.enum(['optional', 'required']).nullable(),
  metadataEndpoint: z.enum(['enabled', 'disabled']).nullable(),
  metadataHopLimit: z.int().min(1).max(HOP_LIMIT_MAX).nullable(),
  metadataTags: z.enum(['enabled', 'disabled']).nullable(),
}

/** Options as their columns; null sets none. */
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
 * All four, or null when an older daemon wrote the row; one that is missing alone counts as an
 * older daemon's.
 */
export function instanceMetadata(row: MetadataColumns): MetadataOptions | null {
  const { tokens, endpoint, hopLimit, tags } = metadataOf(row)
  if (tokens === null && endpoint === null && hopLimit === null && tags === null) return null
  return {
    tokens: tokens ?? OLDER_METADATA.tokens,
    endpoint: endpoint ?? OLDER_METADATA.endpoint,
    hopLimit: hopLimit ?? OLDER_METADATA.hopLimit,
    tags: tags ?? OLDER_METADATA.tags,
  }
}
