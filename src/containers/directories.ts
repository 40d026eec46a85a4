/**
 * The directories of the host where the engine stores what a container has written, from its
 * description of the container. Pure.
 */
import { z } from 'zod'

/** Longer than the paths of the 127 layers that overlay2 allows. */
const LAYERS_LENGTH = 65_536
const PATH_LENGTH = 4096

/** The fields of an inspected container that name its directories. */
const placesSchema = z.object({
  GraphDriver: z.object({
    Data: z
      .object({
        UpperDir: z.string().max(PATH_LENGTH).optional(),
        LowerDir: z.string().max(LAYERS_LENGTH).optional(),
      })
      .nullish(),
  }),
  Mounts: z
    .array(
      z.object({
        Type: z.string().max(64),
        Source: z.string().max(PATH_LENGTH).default(''),
        Destination: z.string().max(PATH_LENGTH).default(''),
      }),
    )
    .max(1000),
})

/** A directory of the host that is mounted in a container. */
export interface Mount {
  readonly type: string
  /** On the host. */
  readonly source: string
  /** In the container. */
  readonly destination: string
}

export interface Directories {
  /** The writable layer. Null: this storage driver does not name it. */
  readonly upper: string | null
  /** The layers of the image. */
  readonly lower: readonly string[]
  readonly mounts: readonly Mount[]
}

/** Errors: those of the schema, for an invalid description. */
export function directoriesOf(inspected: unknown): Directories {
  const { GraphDriver, Mounts } = placesSchema.parse(inspected)
  const { UpperDir = null, LowerDir = '' } = GraphDriver.Data ?? {}
  return {
    upper: UpperDir,
    lower: LowerDir.split(':').filter((path) => path !== ''),
    mounts: Mounts.map(({ Type, Source, Destination }) => ({
      type: Type,
      source: Source,
      destination: Destination,
    })),
  }
}

/** The volumes that the engine created for a container, so that their contents belong to it. */
export function volumesOf({ mounts }: Directories): readonly Mount[] {
  return mounts.filter(({ type, source }) => type === 'volume' && source !== '')
}
