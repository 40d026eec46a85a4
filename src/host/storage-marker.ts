/** What a storage says of itself: whose it is, and its id. All kinds of storage have the same. */
import { z } from 'zod'
import { parseJson } from '../lib/json.ts'
import { isOfKind, STORAGE_ID, type StorageKind } from '../model/storage.ts'

const schema = z.strictObject({
  version: z.literal(1),
  cloud: z.string().regex(/^[0-9a-f]{16}$/),
  storage: z.string().regex(STORAGE_ID),
})

/** `cloud` is a cloud's id, 16 hexadecimal digits. */
export interface StorageMarker {
  readonly cloud: string
  readonly storage: string
}

/** The text of a marker: JSON. */
export function formatMarker({ cloud, storage }: StorageMarker): string {
  return JSON.stringify({ version: 1, cloud, storage })
}

/** Null: this is not the marker of a storage of this kind. */
export function parseMarker(kind: StorageKind, text: string): StorageMarker | null {
  const { data } = schema.safeParse(parseJson(text))
  return data !== undefined && isOfKind(data.storage, kind) ? data : null
}
