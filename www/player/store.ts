// Batches of events that wait for an answer, kept beyond the life of the page in IndexedDB. Storage
// may be missing or forbidden; then they live as long as the page.

const STORE = "unsent";

let database: Promise<IDBDatabase> | undefined;

function open(): Promise<IDBDatabase> {
  return (database ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("weir", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("blocked"));
  }));
}

/** Keeps a batch under a key, or with `undefined` forgets what is there. */
export async function keep(key: string, batch: string | undefined): Promise<void> {
  try {
    const store = (await open()).transaction(STORE, "readwrite").objectStore(STORE);
    if (batch === undefined) store.delete(key);
    else store.put(batch, key);
  } catch {
    // The page still plays.
  }
}

/** What is kept, by key. */
export async function kept(): Promise<[string, string][]> {
  try {
    const store = (await open()).transaction(STORE).objectStore(STORE);
    const [keys, batches] = [store.getAllKeys(), store.getAll()];
    await new Promise((resolve) => {
      // Of two requests of one transaction the second ends last.
      batches.onsuccess = batches.onerror = resolve;
    });
    return keys.result.map((key, index) => [String(key), String(batches.result[index])]);
  } catch {
    return [];
  }
}
