/** Counts how often something was so. */
export class Share {
  hits = 0;
  total = 0;

  add(hit: boolean): void {
    this.total += 1;
    if (hit) this.hits += 1;
  }

  get rate(): number {
    return this.hits / this.total;
  }
}

/** Mean, standard deviation and largest size of figures added one by one. */
export class Figures {
  count = 0;
  largest = 0;
  #sum = 0;
  #squares = 0;

  add(value: number): void {
    this.count += 1;
    this.#sum += value;
    this.#squares += value * value;
    this.largest = Math.max(this.largest, Math.abs(value));
  }

  get mean(): number {
    return this.#sum / this.count;
  }

  get rootMeanSquare(): number {
    return Math.sqrt(this.#squares / this.count);
  }
}
