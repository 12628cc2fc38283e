// Moments are shown in the reader's own time; without this they are read in UTC.
for (const one of document.querySelectorAll("time[datetime]:not([data-since])")) {
  const moment = new Date(one.dateTime);
  if (!Number.isNaN(moment.valueOf())) {
    one.textContent = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  }
}
