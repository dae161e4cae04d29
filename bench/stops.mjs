/** What was started and has to be stopped, in the opposite order. */
export class Stops {
  #stops = [];

  add(stop) {
    this.#stops.push(stop);
  }

  /** Stops everything, whatever fails; resolves with what failed. */
  async run() {
    const errors = [];
    for (const stop of this.#stops.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        errors.push(error);
      }
    }
    return errors;
  }
}
