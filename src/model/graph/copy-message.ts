/**
 * A copy of a protobuf message with some fields changed, or absent where undefined is given; what is not changed is
 * shared, unknown fields included. A spread would lose the defaults of absent fields, which lie on the prototype.
 */
export function copyMessage<T extends object>(message: T, changes: { readonly [K in keyof T]?: T[K] | undefined }): T {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(message) as object) as T, message);
  for (const [field, value] of Object.entries(changes)) {
    if (value === undefined) Reflect.deleteProperty(copy, field);
    else Reflect.set(copy, field, value);
  }
  return copy;
}
