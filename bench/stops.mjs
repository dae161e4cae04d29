/** What was started and has to be stopped, in the opposite order. */
export class Stops {
  #stops = [];

  add(stop) {
    this.#stops.push(stop);
  }

  /** Stops everything, whatever fails; then rejects with the first failure. */
  async run() {
    const errors = [];
    for (const stop of this.#stops.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
