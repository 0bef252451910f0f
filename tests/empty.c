/* Keeps the support library from being empty. */
typedef int rt_empty;
