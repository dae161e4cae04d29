/** A place where a test holds whoever comes by, until it lets them pass. */

export interface Gate {
  /** Somebody has come to it since it was last closed. */
  readonly isReached: boolean;
  /** Resolves when it is open. */
  pass(): Promise<void>;
  open(): void;
  close(): void;
}

/** Closed at first. */
export function gate(): Gate {
  let isReached = false;
  let isOpen = false;
  let waiting: (() => void)[] = [];
  return {
    get isReached() {
      return isReached;
    },
    pass: () => {
      isReached = true;
      return isOpen ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve));
    },
    open: () => {
      isOpen = true;
      for (const pass of waiting) pass();
      waiting = [];
    },
    close: () => {
      isOpen = false;
      isReached = false;
    },
  };
}
