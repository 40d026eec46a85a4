/** Every action that the API answers. */
import type { Action } from '../action.ts'
import * as registry from './registry.ts'

/** In no particular order; each name once. */
export const allActions: readonly Action[] = Object.values(registry).flat()
