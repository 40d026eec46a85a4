/**
 * Metrics of things that come and go: two counters, packets and bytes, with the labels of each
 * thing. What a thing had ends with it, and their number is limited.
 */
import type { Counter } from '../../lib/metrics.ts'
import type { Room } from '../../lib/room.ts'
import { type Count, increase } from '../../model/counters.ts'

/** Labels of a metric. */
export type Labels = Readonly<Record<string, string>>

export interface CountMetrics {
  readonly packets: Counter<string>
  readonly bytes: Counter<string>
}

interface Thing {
  readonly labels: Labels
  /** Labels that it has metrics with, by their text. */
  readonly used: Map<string, Labels>
  /** What each of its counters had counted, by name. */
  readonly last: Map<string, Count>
  readonly hasRoom: boolean
}

/** The things of one namespace. */
export interface Series {
  /** From now on there are these things, by id. */
  follow(labels: ReadonlyMap<string, Labels>): void
  /** Adds what the thing's counter has counted since the last time. Others' are left alone. */
  add(id: string, counter: string, labels: Labels, count: Count): void
  end(): void
}

/** No things yet. Those without room are counted together as `others`, or not at all. */
export function createSeries(metrics: CountMetrics, room: Room, others?: Labels): Series {
  const things = new Map<string, Thing>()
  const remove = (id: string, { hasRoom, used }: Thing) => {
    things.delete(id)
    if (!hasRoom) return
    room.giveBack(1)
    for (const labels of used.values()) {
      metrics.packets.remove(labels)
      metrics.bytes.remove(labels)
    }
  }
  return {
    follow: (wanted) => {
      for (const [id, thing] of things) if (!wanted.has(id)) remove(id, thing)
      for (const [id, labels] of wanted) {
        if (things.has(id)) continue
        const hasRoom = room.take()
        const shown = hasRoom ? labels : others
        if (shown === undefined) continue
        things.set(id, { labels: shown, hasRoom, used: new Map(), last: new Map() })
      }
    },
    add: (id, counter, labels, count) => {
      const thing = things.get(id)
      if (thing === undefined) return
      const { packets, bytes } = increase(thing.last.get(counter), count)
      thing.last.set(counter, count)
      const all = { ...thing.labels, ...labels }
      thing.used.set(counter, all)
      metrics.packets.inc(all, packets)
      metrics.bytes.inc(all, bytes)
    },
    end: () => {
      for (const [id, thing] of things) remove(id, thing)
    },
  }
}
