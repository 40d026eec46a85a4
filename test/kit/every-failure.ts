/**
 * Makes the k-th call of a port fail, for every k, or does something just before it. What follows
 * must repair everything.
 */

/** Decides, call by call, whether it fails. */
export interface Failures {
  /**
   * Fails the `call`-th call from now on (1 is the next), before it does anything or after it has
   * done all; with `more` also so many others, at that distance from each other.
   */
  arm(
    call: number,
    when: 'before' | 'after',
    more?: { readonly times: number; readonly distance: number },
  ): void
  /** Does this before the `call`-th call from now on, which then goes on. */
  interrupt(call: number, work: () => Promise<unknown>): void
  disarm(): void
  /** Whether an armed failure has happened. */
  readonly fired: boolean
  /** How many have happened since it was armed. */
  readonly count: number
}

/** One count of calls over as many objects as one likes. */
export interface Watch {
  readonly failures: Failures
  /**
   * The same object with the promise-returning methods counted, all of them unless `methods` names
   * some. `lost` is given what a method returned when nobody else will be: a socket must be closed,
   * or the failure would be more than one.
   */
  over<Port extends object>(
    port: Port,
    options?: {
      readonly methods?: readonly (keyof Port)[]
      readonly lost?: (result: unknown) => void
    },
  ): Port
}

/** Methods that return no promise. */
const AT_ONCE: ReadonlySet<string | symbol> = new Set(['touched', 'unreadable', 'watchKernel'])

/** A new count, with nothing armed. */
export function watchCalls(): Watch {
  let remaining = 0
  let armed: 'before' | 'after' | null = null
  let others = { times: 0, distance: 0 }
  let count = 0
  let interruption: (() => Promise<unknown>) | null = null
  const due = () => {
    if (armed === null) return null
    remaining -= 1
    if (remaining > 0) return null
    const when = armed
    if (count === others.times) armed = null
    else remaining = others.distance
    count += 1
    return when
  }
  const failures: Failures = {
    arm: (call, when, more = { times: 0, distance: 0 }) => {
      remaining = call
      armed = when
      others = more
      count = 0
      interruption = null
    },
    interrupt: (call, work) => {
      failures.arm(call, 'before')
      interruption = work
    },
    disarm: () => {
      armed = null
    },
    get fired() {
      return count > 0
    },
    get count() {
      return count
    },
  }
  return {
    failures,
    over: (port, { methods, lost } = {}) =>
      new Proxy(port, {
        get: (target, key) => {
          const method: unknown = Reflect.get(target, key)
          if (typeof method !== 'function') return method
          if (methods?.some((name) => name === key) === false) return method.bind(target)
          if (AT_ONCE.has(key)) return method.bind(target)
          return async (...args: unknown[]) => {
            const when = due()
            if (when === 'before') {
              if (interruption === null) throw new Error(`${String(key)} was made to fail`)
              await interruption()
            }
            const result: unknown = await method.apply(target, args)
            if (when !== 'after') return result
            lost?.(result)
            throw new Error(`${String(key)} was made to fail after it was done`)
          }
        },
      }),
  }
}

/**
 * The port with every promise-returning method watched, and the switch that makes one of its calls
 * fail.
 */
export function failing<Port extends object>(
  port: Port,
): { readonly port: Port; readonly failures: Failures } {
  const watch = watchCalls()
  return { port: watch.over(port), failures: watch.failures }
}
