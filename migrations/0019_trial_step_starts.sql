-- Where the fit of the next fold starts; no bytes when it starts anew, and for steps of earlier versions.
ALTER TABLE trial_steps ADD COLUMN starts BLOB NOT NULL DEFAULT x'';
