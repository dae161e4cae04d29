/** The event loop of the platform, as one that decides how it waits sees it. */

/** What a loop has done since it began. */
export interface LoopCounts {
  /** What came from outside: of sockets, files, other threads; no timers. */
  readonly events: number;
  readonly turns: number;
  /** How long it waited for something to do. */
  readonly asleepMs: number;
}

export interface EventLoop {
  counts(): LoopCounts;
  /** Of `counts`, for those who ask in every turn. */
  events(): number;
  monotonicMs(): number;
  /** Calls back in the next turn, and has that one wait for nothing. */
  nextTurn(callback: () => void): void;
  /** Calls back in the next turn, which waits as long as it likes to; a process does not live on for that. */
  onceWoken(callback: () => void): void;
}

const { nodeTiming } = performance;

export const systemLoop: EventLoop = {
  counts() {
    const { events, loopCount } = nodeTiming.uvMetricsInfo;
    return { events, turns: loopCount, asleepMs: nodeTiming.idleTime };
  },
  events: () => nodeTiming.uvMetricsInfo.events,
  monotonicMs: () => performance.now(),
  nextTurn: (callback) => void setImmediate(callback),
  onceWoken: (callback) => void setImmediate(callback).unref(),
};
