CREATE TABLE former_work_queues (
  playbook_id BIGINT NOT NULL,
  work_queue_id UUID NOT NULL,
  end_time TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_former_work_queues PRIMARY KEY (playbook_id, end_time),
  CONSTRAINT fk_former_work_queues_playbook_id_playbooks FOREIGN KEY (playbook_id) REFERENCES playbooks (id) ON UPDATE CASCADE ON DELETE CASCADE
);
