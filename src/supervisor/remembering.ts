// The gate on "ask": Envoy asks about label-less requests only while a label is remembered at all.

export type AskGate = {
  /** To be awaited before an answer that made something remembered: the application's first call may follow at once. */
  open(): Promise<void> | undefined;
  close(): void;
  /** Tells Envoy once more: it was started again, or was told by a lanekeeper before this one. */
  repeat(): void;
  readonly isWanted: boolean;
  /** What Envoy has been told; undefined where that is not known. */
  readonly isOpen: boolean | undefined;
};

/**
 * `set` tells Envoy (0.4 ms over its admin socket). Calls are told one after the other: an opening and a closing on two
 * connections could overtake each other. Where Envoy cannot be told the answer goes out all the same, and the next call
 * tries again.
 */
export function createAskGate(set: (open: boolean) => Promise<unknown>, onFailure: (error: unknown) => void): AskGate {
  let isWanted = false;
  let isOpen: boolean | undefined;
  let last: Promise<void> = Promise.resolve();
  let waiting = 0;

  return {
    get isWanted() {
      return isWanted;
    },
    get isOpen() {
      return isOpen;
    },
    open() {
      if (!isWanted) return tell(true);
      if (waiting > 0) return last;
      return isOpen ? undefined : tell(true);
    },
    close() {
      if (isWanted || (waiting === 0 && isOpen !== false)) void tell(false);
    },
    repeat() {
      void tell(isWanted);
    },
  };

  function tell(open: boolean): Promise<void> {
    isWanted = open;
    waiting++;
    last = last.then(async () => {
      try {
        await set(open);
        isOpen = open;
      } catch (error) {
        isOpen = undefined; // Envoy may have heard it all the same
        onFailure(error);
      } finally {
        waiting--;
      }
    });
    return last;
  }
}
